"""Display of lengths and text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.cli.display import json_text, length, printable


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [
        (0, "0.0 s"),
        (40, "0.0 s"),
        (500, "0.5 s"),
        (59_940, "59.9 s"),
        (59_960, "1:00"),
        (61_499, "1:01"),
        (3_599_499, "59:59"),
        (3_599_500, "1:00:00"),
        (43_200_000, "12:00:00"),
    ],
)
def test_length_is_as_a_player_shows_it(duration_ms: int, shown: str) -> None:
    assert length(duration_ms) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Планёрка №1 — 日本 👩‍🎤", "Планёрка №1 — 日本 👩‍🎤"),
        ("a\x1b]0;x\x07\x7f\x9b", r"a\x1b]0;x\x07\x7f\x9b"),
        ("a\r\n\tb\u2028", r"a\r\n\tb\u2028"),
        ("\u202egnp.exe\u2069", r"\u202egnp.exe\u2069"),
        ("\udcff", r"\udcff"),
        ("[bold]x[/] :smile:", "[bold]x[/] :smile:"),
    ],
)
def test_text_from_others_keeps_its_letters_and_loses_its_power(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_json_says_the_same_in_harmless_characters(text: str) -> None:
    written = json_text({"title": text, text: [text]})

    assert json.loads(written) == {"title": text, text: [text]}
    assert printable(written) == written
