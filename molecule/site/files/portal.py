"""portal.py URL RULES: log in with PORTAL_PASSWORD; see services, the map and what the named rules recommend."""

import os
import shutil
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

url, rules = sys.argv[1], set(sys.argv[2].split(","))
options = webdriver.ChromeOptions()
options.binary_location = shutil.which("chromium")
profile = tempfile.TemporaryDirectory()
for word in ("--headless=new", "--no-sandbox", "--window-size=1280,1000", f"--user-data-dir={profile.name}"):
    options.add_argument(word)
with profile, webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver"))) as driver:

    def wait(look):
        return WebDriverWait(driver, 60).until(look)

    def all_of(css):
        return driver.find_elements(By.CSS_SELECTOR, css)

    def keep(name):
        if os.environ.get("SCREENSHOTS"):
            height = driver.execute_script("return document.documentElement.scrollHeight")
            driver.set_window_size(1280, max(1000, height))
            driver.save_screenshot(os.path.join(os.environ["SCREENSHOTS"], name + ".png"))

    driver.get(url + "/")
    wait(lambda _driver: all_of("input[name=user]"))[0].send_keys("admin")
    all_of("input[name=password]")[0].send_keys(os.environ["PORTAL_PASSWORD"])
    all_of("button.primary")[0].click()
    wait(lambda _driver: "All 19 are up." in driver.page_source)
    states = {card.get_attribute("data-service") for card in all_of("[data-service]")}
    keep("site-services")
    driver.get(url + "/map")
    wait(lambda _driver: all_of("svg .box"))
    drawn = {box.get_attribute("data-service") for box in all_of("svg .box.up")}
    keep("site-map")
    if drawn != states or len(drawn) != 19:
        sys.exit(f"the map shows {sorted(drawn)}, the list {sorted(states)}")
    driver.get(url + "/recommendations")
    wait(lambda _driver: all_of("[data-rule]"))
    shown = {one.get_attribute("data-rule") for one in all_of("[data-rule]")}
    keep("site-recommendations")
    if not rules <= shown:
        sys.exit(f"{sorted(rules - shown)} are not shown")
