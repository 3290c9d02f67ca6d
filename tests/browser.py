"""A page in a real browser: headless Chromium, of which every message and request is kept."""

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
class Seen:
    """What a page said and asked for."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def chromium() -> str:
    """The browser's path; the test is skipped without one, unless this is CI."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        assert "CI" not in os.environ, "CI installs chromium"
        pytest.skip("no Chromium here; install chromium")
    return found


@contextmanager
def started() -> Iterator[Browser]:
    """One browser, for several pages: Playwright starts once a thread."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs what containers often forbid; the page is ours.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, file: Path, size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light"
) -> Iterator[tuple[Page, Seen]]:
    """A page open in a window of this size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page, seen = context.new_page(), Seen()
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.messages.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(file.as_uri())
    yield page, seen
    context.close()
