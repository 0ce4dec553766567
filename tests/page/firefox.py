"""The system's Firefox at the page. Its methods wait until the page has what they look for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from needs import skip_or_fail
from page.marionette import Marionette, marionette
from page.null_sink import null_sink
from waiting import wait_until

_PROGRAMS: Final = ("firefox-esr", "firefox")

_PREFERENCES: Final = {
    "media.navigator.streams.fake": True,  # a microphone with a tone
    "media.navigator.permission.disabled": True,  # the page gets it without a question
    "intl.accept_languages": "en-GB",
    "app.normandy.enabled": False,
    "browser.safebrowsing.provider.mozilla.updateURL": "",
    "datareporting.policy.dataSubmissionEnabled": False,
}

# `Services` is Firefox's own object, not the page's. Warnings are about the machine, too: a decoder, an audio output.
_ERRORS: Final = """
    return Services.console.getMessageArray()
        .filter((message) => message instanceof Ci.nsIScriptError && !(message.flags & Ci.nsIScriptError.warningFlag))
        .filter(({sourceName}) => sourceName.startsWith(arguments[0]))
        .map(String);
"""


def firefox_program() -> str:
    """Firefox's path. If there is none, the test is skipped, or fails if `firefox` is required."""
    named = os.environ.get("PIGWAV_FIREFOX")
    found = next(filter(None, map(shutil.which, [named] if named else _PROGRAMS)), None)
    return found or skip_or_fail("firefox", "there is no Firefox (PIGWAV_FIREFOX, or on the PATH)")


def named(tag: str, name: str, inside: str = "") -> str:
    """The XPath of an element that has this name: as its text, or for screen readers only."""
    return f'{inside}//{tag}[normalize-space()="{name}" or @aria-label="{name}"]'


@dataclass(frozen=True)
class Firefox:
    """One tab. Elements are found by XPath."""

    marionette: Marionette

    def open(self, url: str) -> None:
        self.marionette.send("WebDriver:Navigate", url=url)

    def click(self, xpath: str) -> None:
        self.marionette.send("WebDriver:ElementClick", id=self._find(xpath))

    def write(self, xpath: str, text: str) -> None:
        """Types the text; for a file input, chooses the file with this path."""
        self.marionette.send("WebDriver:ElementSendKeys", id=self._find(xpath), text=text)

    def wait_for(self, xpath: str) -> None:
        self._find(xpath)

    def wait_until_gone(self, xpath: str) -> None:
        wait_until(lambda: not self._found(xpath))

    def attribute(self, xpath: str, name: str) -> str | None:
        return self.marionette.send("WebDriver:GetElementAttribute", id=self._find(xpath), name=name)

    def run(self, script: str, *arguments: object) -> Any:
        """Runs a script in the open page and returns its result."""
        return self.marionette.send("WebDriver:ExecuteScript", script=script, args=arguments)

    def errors(self, origin: str) -> list[str]:
        """What Firefox notes about pages of this origin: what they threw, and what their content policy forbade."""
        self.marionette.send("Marionette:SetContext", value="chrome")
        try:
            return self.run(_ERRORS, origin)
        finally:
            self.marionette.send("Marionette:SetContext", value="content")

    def _find(self, xpath: str) -> str:
        wait_until(lambda: bool(self._found(xpath)), within_s=30)
        return self._found(xpath)[0]

    def _found(self, xpath: str) -> list[str]:
        elements = self.marionette.send("WebDriver:FindElements", using="xpath", value=xpath)
        return [id_ for element in elements for id_ in element.values()]


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """A Firefox with an empty profile. `folder` is empty and gets its files."""
    profile, audio = folder / "profile", folder / "audio"
    profile.mkdir()
    audio.mkdir()
    with (
        null_sink(audio) as environment,
        marionette(firefox_program(), profile, _PREFERENCES, environment) as session,
    ):
        yield Firefox(session)
