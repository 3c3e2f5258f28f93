"""portal.py URL RULES: log in with PORTAL_PASSWORD; see services, the map and what the named rules recommend."""

import os
import sys

from browser import browser

url, rules = sys.argv[1], set(sys.argv[2].split(","))
with browser() as page:
    page.driver.get(url + "/")
    page.wait(lambda: page.all_of("input[name=user]"))[0].send_keys("admin")
    page.all_of("input[name=password]")[0].send_keys(os.environ["PORTAL_PASSWORD"])
    page.all_of("button.primary")[0].click()
    page.wait(lambda: "All 19 are up." in page.driver.page_source)
    states = set(page.attributes("[data-service]", "data-service"))
    page.keep("site-services")
    page.driver.get(url + "/map")
    page.wait(lambda: page.all_of("svg .box"))
    drawn = set(page.attributes("svg .box.up", "data-service"))
    page.keep("site-map")
    if drawn != states or len(drawn) != 19:
        sys.exit(f"the map shows {sorted(drawn)}, the list {sorted(states)}")
    page.driver.get(url + "/recommendations")
    page.wait(lambda: page.all_of("[data-rule]"))
    shown = set(page.attributes("[data-rule]", "data-rule"))
    page.keep("site-recommendations")
    if not rules <= shown:
        sys.exit(f"{sorted(rules - shown)} are not shown")
