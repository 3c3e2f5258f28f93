"""The keeper of the tables without databases; with them it runs in tests/integration/test_services.py."""

import time

import pytest
from optiinfra_services import schema


def test_it_tries_until_the_databases_are_there_and_says_why_not():
    tried = []

    def upgrade(settings):
        tried.append(settings)
        if len(tried) < 3:
            raise ConnectionError("refused")

    keeper = schema.Keeper("settings", upgrade)
    probe = keeper.check().probe
    with pytest.raises(RuntimeError, match="not brought up to date yet"):
        probe()
    keeper.start(every=0.01)
    deadline = time.monotonic() + 10
    while keeper.problem and time.monotonic() < deadline:
        time.sleep(0.01)
    assert tried == ["settings"] * 3
    probe()


def test_revisions_are_one_line():
    script = schema.ScriptDirectory.from_config(schema._config())
    assert len(schema.heads()) == 1
    assert [one.down_revision for one in script.walk_revisions()][-1] is None
