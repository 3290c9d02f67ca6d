"""Pages opened in headless Chromium, with their console messages and requests recorded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PHONE, DESKTOP = (390, 844), (1280, 900)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(slots=True)
class PageLog:
    """The console messages, errors and requests of a page."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def chromium() -> str:
    """Return the browser's path; without one skip the test, or fail it in CI."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        assert "CI" not in os.environ, "CI installs chromium"
        pytest.skip("no Chromium here; install chromium")
    return found


@contextmanager
def started() -> Iterator[Browser]:
    """Start one browser for several pages: a thread can start Playwright only once."""
    with sync_playwright() as playwright:
        # Containers often forbid what Chromium's own sandbox needs; the page is ours, so it can do without.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, file: Path, size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light"
) -> Iterator[tuple[Page, PageLog]]:
    """Open a page in a window of this size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page, log = context.new_page(), PageLog()
    page.on("console", lambda message: log.messages.append(message.text))
    page.on("pageerror", lambda error: log.messages.append(str(error)))
    page.on("request", lambda request: log.requests.append(request.url))
    page.goto(file.as_uri())
    yield page, log
    context.close()
