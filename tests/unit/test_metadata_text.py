"""Any title as S3 metadata: ASCII, short enough, and decodable."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.store.base import MAX_METADATA_TEXT_BYTES, metadata_text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("Standup, Monday", "Standup%2C Monday"),
        ("голос", "%D0%B3%D0%BE%D0%BB%D0%BE%D1%81"),
        ("100%", "100%25"),
        ("", ""),
        ("x" * 1025, "x" * 1024),
        ("я" * 200, "%D1%8F" * 170),
        ("x" + "🎙" * 200, "x" + "%F0%9F%8E%99" * 85),
    ],
)
def test_text_is_percent_encoded_and_cut_between_two_characters(text: str, encoded: str) -> None:
    assert metadata_text(text) == encoded


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=1200))
def test_what_is_stored_is_the_texts_beginning_as_far_as_it_fits(text: str) -> None:
    stored = metadata_text(text)

    assert stored.isascii()
    assert len(stored) <= MAX_METADATA_TEXT_BYTES
    assert text.startswith(unquote(stored))
    assert unquote(stored) == text or len(stored) > MAX_METADATA_TEXT_BYTES - len("%F0%9F%8E%99")
