"""Makes the checkout importable as the collection that it is."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

# How long a case takes says more about the machine than about the code.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))


@pytest.fixture(scope="session")
def root():
    return ROOT
