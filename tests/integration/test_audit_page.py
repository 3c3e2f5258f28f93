"""The audit's page in a real browser: search and filters."""

from __future__ import annotations

import datetime

from ansible_collections.optiinfra.platform.plugins.plugin_utils import views
from selenium.webdriver.common.by import By


def result(port, severity):
    found = {
        "code": "undeclared-listener",
        "severity": severity,
        "subject": f"*:{port}/tcp",
        "evidence": "x",
        "remedy": "y",
    }
    opened = {"address": "*", "port": port, "protocol": "tcp", "exposure": "reachable", "process": f"daemon{port}",
              "pid": 1, "user": "root", "unit": "", "container": "", "project": "", "service": "",
              "declared": ""}  # fmt: skip
    return {"findings": [found], "accepted": [], "open_ports": [opened], "unseen": []}


def test_search_and_severity_filter_hosts_and_rows(browser, tmp_path):
    results = {f"host{n:02}": result(9000 + n, "error" if n % 2 else "info") for n in range(50)}
    page = tmp_path / "audit.html"
    page.write_text(views.page(views.document(results, {}, datetime.datetime.now(datetime.UTC)), {}))
    browser.get(page.as_uri())

    def shown(css):
        return [one for one in browser.find_elements(By.CSS_SELECTOR, css) if one.get_attribute("hidden") is None]

    assert len(shown(".host")) == 50
    assert browser.find_element(By.ID, "count").text == "25 findings"
    browser.find_element(By.CSS_SELECTOR, ".severity[value=info]").click()
    assert browser.find_element(By.ID, "count").text == "50 findings"
    search = browser.find_element(By.ID, "text")
    search.send_keys("daemon9007")
    assert [host.get_attribute("data-host") for host in shown(".host")] == ["host07"]
    # What is found is opened, and only rows that fit are shown.
    assert browser.find_element(By.CSS_SELECTOR, "[data-host=host07] .ports tbody tr").is_displayed()
    assert not browser.find_element(By.CSS_SELECTOR, "[data-host=host07] .findings tbody tr").is_displayed()
    search.clear()
    search.send_keys("nobody")
    assert shown(".host") == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
