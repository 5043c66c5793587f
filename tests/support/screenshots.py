"""Open the documentation site in Chromium, as ``nox -s screenshots`` does: check every page, and take pictures.

A page must load everything it refers to, cause no error on the console, and not be wider than the window. The search
must find something.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Response

WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PICTURES = ("index", "tutorial", "settings", "commands", "verify", "performance", "troubleshooting")
SEARCH = "search.html?q=sourceless"
BAD = 400  # from this HTTP status on


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def problems_of(site: Path, output: Path) -> list[str]:
    """Return what is wrong with the site, and write the pictures."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for window in WINDOWS:
            for scheme in SCHEMES:
                page = open_window(browser, window, scheme, problems)
                for name in [*pages, SEARCH]:
                    page.goto(f"{address}/{name}")
                    problems += check(page, name, window)
                    stem = name.partition(".")[0]
                    if stem in PICTURES or name == SEARCH:
                        page.screenshot(path=output / f"{stem}-{window}-{scheme}.png")
        browser.close()
    server.shutdown()
    return sorted(set(problems))


def open_window(browser: Browser, window: str, scheme: Literal["light", "dark"], problems: list[str]) -> Page:
    """Return a window that notes errors."""
    width, height = WINDOWS[window]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)

    def on_message(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            problems.append(f"{page.url}: {message.text}")

    def on_response(response: Response) -> None:
        if response.status >= BAD:
            problems.append(f"{response.url}: HTTP status {response.status}")

    page.on("console", on_message)
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on("response", on_response)
    return page


def check(page: Page, name: str, window: str) -> list[str]:
    """Return what is wrong with a page that is open."""
    if name == SEARCH:
        page.wait_for_selector("#search-results ul.search li", timeout=10_000)
        page.wait_for_load_state("networkidle")  # the script reads the pages that it quotes
    width = page.evaluate("document.scrollingElement.scrollWidth")
    return [f"{name}: {width} pixels wide on a {window}"] if width > WINDOWS[window][0] else []


if __name__ == "__main__":
    sys.exit("\n".join(problems_of(Path(sys.argv[1]), Path(sys.argv[2]))) or None)
