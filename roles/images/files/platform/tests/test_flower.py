"""Settings of Flower: what it is started with, and that no secret is on its command line."""

import os

import pytest
from optiinfra_services import flower
from optiinfra_services.settings import SettingsError, load

AUTH = "FLOWER_BASIC_AUTH"
ENVIRONMENT = {"CELERY_BROKER_URL": "redis://:s%40cret@redis:6379/0", AUTH: "admin:p:w"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_command_line_has_no_secret(monkeypatch):
    ran = []
    monkeypatch.setattr(flower.os, "execv", lambda *arguments: ran.append(arguments))
    monkeypatch.setattr(flower.os, "chdir", lambda _folder: None)
    flower.run()
    ((program, arguments),) = ran
    assert arguments == [program, "flower"]
    assert os.environ["FLOWER_PORT"] == "5555"


@pytest.mark.parametrize(
    ("name", "value"),
    [(AUTH, ""), (AUTH, "admin"), (AUTH, "admin:"), ("CELERY_BROKER_URL", "x")],
)
def test_unsafe_settings_are_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(flower.Settings)
