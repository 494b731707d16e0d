"""The browser that prints the book and that tests read it with: Chromium, as the system has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tblib.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "install it (Debian: `apt-get install chromium`) or put it on PATH"


def find() -> str | None:
    """Return the path of Chromium or Chrome, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator:
    """Start Chromium without a window and give Playwright's browser; nothing is downloaded.

    Raises:
        UserError: there is no Chromium, or Playwright is not installed.
    """
    program = find()
    if program is None:
        raise UserError(f"no Chromium was found (looked for {', '.join(NAMES)}); {HOW}.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("the package playwright is missing; run `make install`.") from None
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for the root user of a container.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def settle(page) -> None:
    """Wait until the mathematics of a page is drawn and its fonts and pictures are there."""
    page.evaluate(
        """async () => {
            if (window.MathJax) await MathJax.startup.promise;
            await document.fonts.ready;
            await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
        }"""
    )
