"""Debian's chromium, driven by selenium; installed where it is missing and that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
DRIVER = "chromedriver"


class NoBrowserError(Exception):
    """There is no browser; the message says how to have one."""


def _install() -> str:
    """Return the path of the browser's driver, after installing both where they are missing.

    Raises:
        NoBrowserError: They cannot be installed here.
    """
    found = shutil.which(DRIVER)
    if found:
        return found
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    fix = f"There is no {DRIVER} on this machine. Install it: sudo {' '.join(command)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoBrowserError(fix)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # The lists that an image brings are empty or old.
    for each in (["apt-get", "update"], command):
        done = subprocess.run(
            each, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoBrowserError(f"{fix}\n{' '.join(each)}: {done.stderr.strip()[-1000:]}")
    found = shutil.which(DRIVER)
    if not found:
        raise NoBrowserError(fix)
    return found


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Start a browser without a window, and end it with the block.

    Raises:
        NoBrowserError: There is none, and it cannot be installed.
    """
    options = webdriver.ChromeOptions()
    options.add_argument("--headless=new")
    options.add_argument("--disable-gpu")
    # As root, chromium has no sandbox; what it shows here is a page of this project.
    options.add_argument("--no-sandbox")
    # Containers have a small /dev/shm.
    options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(_install()))
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Set the size of the page in CSS pixels, also to less than a window can have."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def prefer(driver: webdriver.Chrome, scheme: str) -> None:
    """Set what a person prefers: ``light`` or ``dark``."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
