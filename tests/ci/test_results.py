"""The results of a run of tests/ci/run.sh, one test each, so that the run ends with one summary."""

import os
from pathlib import Path

import pytest

FILE = Path(os.environ.get("CI_RESULTS", "results.tsv"))
RESULTS = [line.split("\t") for line in FILE.read_text().splitlines()] if FILE.exists() else []


@pytest.mark.parametrize(("name", "outcome", "seconds"), RESULTS, ids=[result[0] for result in RESULTS])
def test_stage(name, outcome, seconds):
    if outcome != "passed":
        pytest.fail(f"{name}: {outcome} after {seconds} s; its output is above and in .cache/ci", pytrace=False)
