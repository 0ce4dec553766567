"""`service/docs/formats.md`."""

import re
from pathlib import Path

from pigwav.domain import WarningCode

PAGE = (Path(__file__).parents[2] / "service" / "docs" / "formats.md").read_text(encoding="utf-8")


def test_every_warning_is_listed_with_a_sentence() -> None:
    section = PAGE.partition("### Warnings\n")[2].partition("\n#")[0]
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?\.) \|", section, re.MULTILINE))
    assert {*listed} == {*WarningCode}
