"""Charsets by the labels that clients send."""

from contextlib import suppress
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.api.charsets import LABELS, decoded


@pytest.mark.parametrize("label", sorted(LABELS))
def test_every_label_of_the_table_has_a_codec(label: str) -> None:
    assert decoded(b"", label.upper()) == ""


@pytest.mark.parametrize(
    "label",
    [
        *("hex", "zip", "zlib", "bz2", "base64", "rot13", "uu", "quopri"),  # not charsets
        *("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"),
        *("", " ", "no-such", "os", "..", "a\0b", "utf-8\n8", "ютф-8", "x" * 10_000),
    ],
)
def test_what_is_no_charset_is_unknown(label: str) -> None:
    with pytest.raises(LookupError):
        decoded(b"x", label)


@given(st.binary(max_size=40), st.sampled_from(sorted({*aliases, *LABELS})) | st.text(max_size=12))
def test_any_bytes_in_any_charset_are_text_or_refused(raw: bytes, label: str) -> None:
    with suppress(LookupError, UnicodeDecodeError):
        assert isinstance(decoded(raw, label), str)
