"""The system's Chromium, driven by Playwright. Playwright is imported late: a machine without it skips these tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from needs import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, BrowserType

_PROGRAMS: Final = ("chromium", "google-chrome")

NO_SANDBOX: Final = "--no-sandbox"
"""Tests run as root in containers, where Chromium's sandbox does not start."""

FAKE_MICROPHONE: Final = "--use-fake-device-for-media-stream"
"""A microphone that beeps once a second."""


def chromium_program() -> str:
    """Chromium's path. If it or Playwright is missing, the test is skipped, or fails if `browser` is required."""
    if importlib.util.find_spec("playwright") is None:
        skip_or_fail("browser", "playwright is not installed (pip install '.[browser]')")
    named = os.environ.get("PIGWAV_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _PROGRAMS)), None)
    return found or skip_or_fail("browser", "there is no Chromium (PIGWAV_CHROMIUM, or on the PATH)")


def headless_shell_program() -> str:
    """Debian's headless shell, which takes a third of the processor time but has no microphone. If there is none, or
    if PIGWAV_CHROMIUM names another one: Chromium.
    """
    shell = None if os.environ.get("PIGWAV_CHROMIUM") else shutil.which("chromium-headless-shell")
    return shell or chromium_program()


@contextmanager
def playwright_chromium() -> Iterator[BrowserType]:
    """Playwright's driver. Its event loop runs in this thread, so it ends before other tests need one of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium


@contextmanager
def launched(chromium: BrowserType, *arguments: str, program: str | None = None) -> Iterator[Browser]:
    """A Chromium whose storage is in memory. `program`: its path (None: `chromium_program`)."""
    browser = chromium.launch(executable_path=program or chromium_program(), args=[NO_SANDBOX, *arguments])
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def launched_with_profile(
    chromium: BrowserType, profile: Path, *arguments: str, permissions: Sequence[str] = ()
) -> Iterator[BrowserContext]:
    """A Chromium whose storage is in a folder, so that it outlives the browser. The test may kill it."""
    from playwright.sync_api import Error

    context = chromium.launch_persistent_context(
        profile,
        executable_path=chromium_program(),
        args=[NO_SANDBOX, *arguments],
        permissions=list(permissions),
    )
    try:
        yield context
    finally:
        with suppress(Error):  # it was killed
            context.close()


def expect(actual: Any) -> Any:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(actual)
