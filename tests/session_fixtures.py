"""Session fixtures that fail to start: prints one clear line, because pytest repeats the error for every test."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Final, TypeVar

import pytest

from pigwav.errors import CannotStart

_DID_NOT_START: Final = " did not start: "

Part = TypeVar("Part")


def started(name: str, part: AbstractContextManager[Part]) -> Iterator[Part]:
    """A session fixture yields from this. Turns an error at start into one line with the name and the cause.

    pytest caches the failure of a session fixture: no later test tries the start again.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(part)
        except (CannotStart, AssertionError) as error:
            cause = " ".join(str(error).split()) or repr(error)
            raise pytest.fail.Exception(f"{name}{_DID_NOT_START}{cause}", pytrace=False) from None
        yield opened


def write_what_did_not_start(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints each cause once, with the number of tests that could not run."""
    texts = [report.longreprtext.rstrip() for report in terminalreporter.stats.get("error", [])]
    causes = Counter(text.splitlines()[-1] for text in texts if _DID_NOT_START in text)
    for cause, count in causes.most_common():
        terminalreporter.write_line(f"{count} tests could not run: {cause}", red=True, bold=True)
