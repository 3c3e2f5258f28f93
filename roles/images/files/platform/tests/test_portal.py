"""The portal's sessions and pages, with orchestrator and collector away: the page says so and stays up."""

import pytest
from fastapi.testclient import TestClient
from optiinfra_services.portal import api, session
from optiinfra_services.settings import SettingsError, load

SIGNED_WITH = "a-secret-of-enough-characters"


@pytest.fixture
def portal(monkeypatch):
    # Port 9 of loopback: nobody is there.
    for name, value in {
        "ORCHESTRATOR_URL": "http://127.0.0.1:9",
        "DATA_COLLECTOR_URL": "http://127.0.0.1:9",
        "AUTH_SECRET": SIGNED_WITH,
        "PORTAL_PASSWORD": "right-password",
    }.items():
        monkeypatch.setenv(name, value)
    return TestClient(api.build(load(api.Settings)), follow_redirects=False)


def login(portal, password):
    body = f"user=admin&password={password}"
    return portal.post("/login", content=body, headers={"content-type": "application/x-www-form-urlencoded"})


def test_nobody_sees_anything_without_login(portal):
    assert portal.get("/").headers["location"] == "/login"
    assert "<form" in portal.get("/login").text


@pytest.mark.parametrize("password", ["", "wrong", "right-password%00"])
def test_a_wrong_password_is_refused(portal, password):
    answer = login(portal, password)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_after_login_the_page_shows_what_is_away(portal):
    answer = login(portal, "right-password")
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    page = portal.get("/")
    assert page.status_code == 200
    assert page.text.count("<td>away</td>") == 2
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_health_says_what_is_away(portal):
    answer = portal.get("/api/health")
    assert answer.status_code == 503
    assert set(answer.json()["dependencies"]) == {"orchestrator", "data-collector"}


def test_sessions_end_and_cannot_be_forged():
    cookie = session.issue(SIGNED_WITH, "jürgen", now=1000)
    assert session.read(SIGNED_WITH, cookie, now=1001) == "jürgen"
    assert session.read(SIGNED_WITH, cookie, now=1000 + session.LIFETIME + 1) is None
    assert session.read("another-secret", cookie, now=1001) is None
    name, until, signature = cookie.split(".")
    assert session.read(SIGNED_WITH, f"{name}.{int(until) + 9}.{signature}", now=1001) is None
    for garbage in ("", ".", "a.b", "a.b.c", "é.1.x"):
        assert session.read(SIGNED_WITH, garbage, now=1) is None


def test_a_short_secret_is_refused(monkeypatch):
    monkeypatch.setenv("AUTH_SECRET", "short")
    monkeypatch.setenv("PORTAL_PASSWORD", "right-password")
    with pytest.raises(SettingsError, match="AUTH_SECRET"):
        load(api.Settings)
