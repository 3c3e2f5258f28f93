"""The portal in a real browser, with the platform behind it. SCREENSHOTS=folder keeps what it looks like."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from services import WORD, docker, until


class Page:
    """A portal in a browser."""

    def __init__(self, driver, base):
        self.driver, self.base = driver, base

    def open(self, path):
        self.driver.get(self.base + path)

    def find(self, css):
        return WebDriverWait(self.driver, 30).until(lambda driver: driver.find_element(By.CSS_SELECTOR, css))

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def says(self, text):
        """Wait until the page has a text."""
        WebDriverWait(self.driver, 30).until(lambda driver: text in driver.find_element(By.TAG_NAME, "body").text)

    def press(self, text):
        next(button for button in self.all("button, a") if button.text == text).click()

    def keep(self, name):
        if os.environ.get("SCREENSHOTS"):
            size = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.driver.set_window_size(1280, max(900, size))
            self.driver.save_screenshot(os.path.join(os.environ["SCREENSHOTS"], name + ".png"))

    def login(self, password=WORD):
        self.open("/")
        self.find("input[name=user]").send_keys("admin")
        self.find("input[name=password]").send_keys(password)
        self.press("Log in")

    def problems(self):
        """Return what the browser complained of, such as a script that the policy forbids."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def portal(platform, browser):
    return Page(browser, platform.url("portal", 3000))


def get(url):
    """Return (status, text) without a session."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_nobody_sees_anything_without_login(portal, platform):
    for path in ("/", "/map", "/recommendations", "/ask", "/requests/11111111-1111-1111-1111-111111111111"):
        portal.open(path)
        portal.find("input[name=password]")
        assert "cost-agent" not in portal.driver.page_source
    portal.keep("login")
    portal.login("wrong-password")
    portal.says("User or password is wrong.")
    assert platform.get("portal", 3000, "/api/health")[0] == 200
    status, metrics = get(platform.url("portal", 3000, "/metrics"))
    assert (status, 'optiinfra_dependency_up{dependency="orchestrator"} 1' in metrics) == (200, True)


def test_services_and_agents_are_shown_with_their_state(portal):
    portal.login()
    portal.says("1 of 8 are down: away")
    states = {card.get_attribute("data-service"): card for card in portal.all("[data-service]")}
    assert "up" in states["cost-agent"].text
    assert "down" in states["away"].text
    assert "127.0.0.1:8080" in states["orchestrator"].text
    rows = [row.text.split()[0] for row in portal.all("[data-testid=agents] tbody tr")]
    assert rows == ["application-agent", "cost-agent", "performance-agent", "resource-agent"]
    portal.keep("services")
    assert portal.problems() == []


def test_the_map_shows_services_ports_and_flows(portal):
    portal.login()
    portal.says("Services")
    portal.open("/map")
    boxes = {box.get_attribute("data-service"): box for box in portal.all("svg .box")}
    assert set(boxes) >= {"customer", "portal", "orchestrator", "cost-agent", "away"}
    assert "down" in boxes["away"].get_attribute("class")
    assert "8080" in boxes["orchestrator"].text
    assert len(portal.all("svg .line")) == 3
    portal.press("Asking")
    portal.find("svg .line.chosen")
    portal.keep("map")
    portal.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [DARK]})
    portal.keep("map-dark")
    assert portal.problems() == []


DARK = {"name": "prefers-color-scheme", "value": "dark"}


def test_a_request_goes_through_the_orchestrator_and_evidence_is_shown(portal, platform):
    def enough():
        return int(platform.clickhouse("SELECT uniqExact(at) FROM metrics WHERE target = 'dcgm'") or 0) >= 4

    assert until(enough)
    portal.login()
    portal.says("Services")
    portal.open("/ask")
    portal.find("textarea[name=question]").send_keys("Where do we waste money?")
    portal.press("Ask")
    portal.find("section[data-agent]")
    assert "/requests/" in portal.driver.current_url
    portal.says("complete")
    assert [section.get_attribute("data-agent") for section in portal.all("section")] == [
        "application-agent",
        "cost-agent",
        "performance-agent",
        "resource-agent",
    ]
    portal.find("[data-rule=idle-gpu] summary").click()
    portal.says("DCGM_FI_DEV_GPU_UTIL")
    portal.keep("request")
    kept = platform.sql("SELECT evidence->>'mean' FROM recommendations WHERE rule = 'idle-gpu' LIMIT 1")
    assert float(kept) == 3
    portal.open("/recommendations?agent=cost-agent")
    shown = [one.get_attribute("data-rule") for one in portal.all("[data-rule]")]
    assert shown == ["idle-gpu"]
    portal.keep("recommendations")
    assert portal.problems() == []
    # The request's id is in the logs of all that had a part in it.
    logs = platform.logs("portal")
    assert WORD not in logs
    assert '"message":"POST /ask"' in logs


def test_light_and_dark_are_chosen_and_kept(portal):
    portal.login()
    portal.says("Services")
    before = portal.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    portal.find("header button[aria-label]").click()
    after = portal.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert before != after
    portal.open("/")
    assert portal.driver.execute_script("return getComputedStyle(document.body).backgroundColor") == after


def test_without_orchestrator_it_says_so_and_stays_up(portal, platform):
    portal.login()
    portal.says("Services")
    docker("pause", platform.names["orchestrator"])
    try:
        portal.open("/")
        portal.says("orchestrator did not answer within 4 s")
        portal.open("/ask")
        portal.find("textarea[name=question]").send_keys("?")
        assert get(platform.url("portal", 3000, "/api/health"))[0] == 503
    finally:
        docker("unpause", platform.names["orchestrator"])
    assert until(lambda: get(platform.url("portal", 3000, "/api/health"))[0] == 200)


def test_logout_ends_the_session(portal):
    portal.login()
    portal.says("Services")
    portal.press("Log out")
    portal.find("input[name=password]")
    portal.open("/map")
    portal.find("input[name=password]")
