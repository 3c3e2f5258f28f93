"""Makes the checkout importable as the collection that it is."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))


@pytest.fixture(scope="session")
def root():
    return ROOT
