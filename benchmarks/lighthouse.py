"""`make lighthouse`: the page at `/` as Lighthouse rates it on a phone, and what a first visit costs.

A first visit on Chromium's "Fast 3G" counts as usable when the pad takes strokes.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Request, ViewportSize, sync_playwright

from benchmarks.page import launch
from benchmarks.processes import running_inkling
from tests.page.browsers import find_chromium

LIGHTHOUSE = Path(".venv-lighthouse") / "node_modules" / "lighthouse" / "cli" / "index.js"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
TIMES = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")
FAST_3G = {"offline": False, "latency": 562.5, "downloadThroughput": 188_744, "uploadThroughput": 86_400}
"""Milliseconds and bytes per second, of Chromium's developer tools."""
PHONE = ViewportSize(width=360, height=740)
USABLE = "() => document.querySelector('.view .pad') && performance.now()"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_inkling(Path(folder)) as server,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        report = rate(server.url)
        for name in CATEGORIES:
            print(f"{name:24} {100 * report['categories'][name]['score']:.0f}")
        for name in TIMES:
            print(f"{name:24} {report['audits'][name]['displayValue']}")
        for audit in report["audits"].values():
            if audit["score"] is not None and audit["score"] < 1 and audit["scoreDisplayMode"] == "binary":
                print(f"  not passed: {audit['title']}")
        print(f"usable on Fast 3G        {usable_s(browser, server.url):.2f} s after the address is entered")
        visit(browser, server.url)


def rate(url: str) -> dict[str, Any]:
    """Return Lighthouse's report on a phone, with its simulated slow 4G."""
    flags = "--headless=new" + (" --no-sandbox" if os.geteuid() == 0 else "")
    command = ["node", str(LIGHTHOUSE), url, "--quiet", "--output=json", f"--chrome-flags={flags}"]
    environment = {**os.environ, "CHROME_PATH": find_chromium() or ""}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def usable_s(browser: Browser, url: str) -> float:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    session: CDPSession = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", FAST_3G)
    page.goto(url, wait_until="commit")
    elapsed_ms: float = page.wait_for_function(USABLE, polling="raf").json_value()
    context.close()
    return elapsed_ms / 1000


def visit(browser: Browser, url: str) -> None:
    """Print the requests of a first visit, and their bytes as transferred."""
    context = browser.new_context(viewport=PHONE, service_workers="block")
    page = context.new_page()
    done: list[Request] = []
    page.on("requestfinished", lambda request: done.append(request))  # noqa: PLW0108  Playwright marks its handlers
    page.goto(url, wait_until="networkidle")
    files = [request for request in done if request.url == f"{url}/" or "/page/" in request.url]
    sizes = {request.url: request.sizes() for request in done}
    total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes.values())
    page_bytes = sum(sizes[request.url]["responseBodySize"] for request in files)
    print(f"files of the page        {len(files)}, {page_bytes / 1000:.1f} KB compressed")
    print(f"requests in all          {len(done)}, {total / 1000:.0f} KB, the network among them")
    print(f"requests elsewhere       {sum(not request.url.startswith((url, 'data:', 'blob:')) for request in done)}")
    context.close()


if __name__ == "__main__":
    main()
