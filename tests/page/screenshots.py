"""Pictures of the page in each of its states, at 1280 and 375 px, light and dark.

    PYTHONPATH=tests .venv/bin/python tests/page/screenshots.py --to build/screenshots
    PYTHONPATH=tests .venv/bin/python tests/page/screenshots.py --documents   # service/docs/page.png

Starts `pigwav up` with a new data folder, and needs what tests/page needs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2
import numpy as np

from accounts import Account, register
from factories import chunk, fmt_chunk, riff
from page.chromium import FAKE_MICROPHONE, launched, playwright_chromium
from page.states import STATES, TITLES, State, empty
from page.visitor import Visitor
from running_up import pigwav_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS: Final = (1280, 375)
SCHEMES: Final = ("light", "dark")
HEIGHT: Final = 800
DOCUMENTS: Final = Path(__file__).resolve().parents[2] / "service" / "docs" / "page.png"
DOCUMENT_SIZE: Final = {"width": 1000, "height": 490}
DOCUMENT_TITLES: Final = (
    "Field notes, river",
    "Interview with Marina",
    "Call with the printers",
    "Standup, Monday",
)


def speech(seconds: int, seed: int) -> bytes:
    """A WAV whose waveform looks like speech: noise in syllables and sentences, with pauses."""
    rate = 8_000
    random = np.random.default_rng(seed)
    syllables = random.gamma(1.2, 0.25, seconds * 8) * (random.random(seconds * 8) > 0.2)
    sentences = random.gamma(2, 0.5, seconds // 4 + 1)
    times_s = np.arange(seconds * rate) / rate
    smooth = np.interp(times_s * 8, np.arange(len(syllables)), syllables)
    smooth *= np.interp(times_s / 4, np.arange(len(sentences)), sentences)
    samples = np.clip(smooth * random.standard_normal(seconds * rate) * 8_000, -32_768, 32_767).astype("<i2")
    return riff(fmt_chunk(rate=rate, channels=1, bits=16) + chunk(b"data", samples.tobytes()))


def draw(browser: Browser, address: str, account: Account | None, name: str, state: State, to: Path) -> None:
    """One state in both widths and schemes."""
    for width in WIDTHS:
        size = {"width": width, "height": HEIGHT}
        is_phone = width < 640
        context = browser.new_context(
            viewport=size,
            is_mobile=is_phone,
            has_touch=is_phone,
            permissions=["microphone"],
            locale="en-GB",
            device_scale_factor=2,
            reduced_motion="reduce",
        )
        visitor = Visitor(context.new_page(), address)
        if account:
            visitor.sign_in(account)
        state(visitor)
        for scheme in SCHEMES:
            visitor.page.emulate_media(color_scheme=scheme)
            visitor.page.screenshot(path=to / f"{name}-{width}-{scheme}.png")
        context.close()


def draw_for_documents(browser: Browser, address: str, account: Account) -> None:
    """The picture in README.md: a list whose second recording plays."""
    for n, title in enumerate(DOCUMENT_TITLES, start=1):
        account.upload_raw(speech(90 * n + 17, seed=n), title=title)
    page = browser.new_page(viewport=DOCUMENT_SIZE, locale="en-GB", device_scale_factor=2)
    visitor = Visitor(page, address)
    visitor.sign_in(account)
    page.get_by_role("button", name=f"Play {DOCUMENT_TITLES[-2]}").click()
    page.get_by_role("slider").press("PageUp")
    page.get_by_role("heading", name="Recordings").click()
    page.screenshot(path=DOCUMENTS)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--only", nargs="+", help="some states")
    parser.add_argument("--documents", action="store_true", help="only the picture in README.md")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        pigwav_up(Path(folder) / "data", log=Path(folder) / "log") as up,
        httpx2.Client(base_url=up.url, timeout=60) as http,
        playwright_chromium() as chromium,
        launched(chromium, FAKE_MICROPHONE) as browser,
    ):
        address = f"{up.url.rstrip('/')}/"
        account, newcomer = register(http, "Anna"), register(http, "Boris")
        if options.documents:
            draw_for_documents(browser, address, newcomer)
            return
        for n, title in enumerate(TITLES, start=1):
            account.upload_raw(speech(20 * n, seed=n), title=title)
        for state in STATES:
            if not options.only or state.__name__ in options.only:
                draw(browser, address, account, state.__name__, state, options.to)
        if not options.only or "empty" in options.only:
            draw(browser, address, newcomer, empty.__name__, empty, options.to)


if __name__ == "__main__":
    main()
