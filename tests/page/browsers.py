"""The headless Chromium of the page tests, the page benchmark and the pictures."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

TO_INSTALL = "needs Chromium: apt-get install chromium"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium with a false camera. As root without a sandbox: it does not start with one."""
    return playwright.chromium.launch(
        executable_path=find_chromium(), chromium_sandbox=os.geteuid() != 0, args=["--use-fake-device-for-media-stream"]
    )
