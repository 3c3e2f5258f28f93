"""A headless Chromium. SCREENSHOTS=folder keeps what it shows."""

import contextlib
import os
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


class Browser:
    def __init__(self, driver):
        self.driver = driver

    def wait(self, look):
        """Return what ``look`` finds at last."""
        return WebDriverWait(self.driver, 60).until(lambda _driver: look())

    def all_of(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def attributes(self, css, name):
        return [found.get_attribute(name) for found in self.all_of(css)]

    def keep(self, name):
        if os.environ.get("SCREENSHOTS"):
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.driver.set_window_size(1280, max(1000, height))
            self.driver.save_screenshot(os.path.join(os.environ["SCREENSHOTS"], name + ".png"))


@contextlib.contextmanager
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as profile:
        for word in ("--headless=new", "--no-sandbox", "--window-size=1280,1000", f"--user-data-dir={profile}"):
            options.add_argument(word)
        with webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver"))) as driver:
            yield Browser(driver)
