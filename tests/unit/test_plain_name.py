"""Names and titles: characters that are dropped, and characters that must stay."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.domain import plain_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Standup \r\n", "Standup"),
        ("a\tb\u2028c\x00d\ud800e", "a b c d e"),
        ("И\u0306", "Й"),
        ("exe.\u202e3pm", "exe.3pm"),
        ("a\u2066b\u2069", "ab"),
        ("soft\u00adhyphen, zero\u200bspace, join\u2060er", "softhyphen, zerospace, joiner"),
        ("\ufeffBOM", "BOM"),
        ("\ufffeBOM", "BOM"),
        ("e\u200b\u0301", "é"),
        ("note\ufff9a\ufffab\ufffb", "noteab"),
    ],
)
def test_what_nobody_sees_and_what_turns_text_around_is_dropped(text: str, name: str) -> None:
    assert plain_name(text) == name


@pytest.mark.parametrize(
    "name",
    [
        "نمی\u200cخواهم",  # Persian needs joiners,
        "👩\u200d👧",  # and emoji of families, too
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "שלום\u200f!",
        "Ünïcödé",
    ],
)
def test_what_a_script_needs_stays(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d", "\u202e\u2066", "\ufeff", "\ue000"])
def test_nothing_visible_is_nothing(text: str) -> None:
    assert plain_name(text) == ""


@given(st.text(st.characters()))  # surrogates too
def test_a_plain_name_is_plain(text: str) -> None:
    name = plain_name(text)
    assert plain_name(name) == name == unicodedata.normalize("NFC", name)
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cs", "Zl", "Zp"}
