"""Our list of characters that change the direction of text is the same as Unicode's."""

import sys
import unicodedata

from pigwav.bidi import BIDI_CONTROLS, BIDI_EMBEDDINGS, BIDI_MARKS

EXPLICIT = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Classes of the bidirectional algorithm (UAX #9) whose characters do nothing but change direction."""


def test_every_character_that_reorders_what_follows_is_known() -> None:
    reordering = {
        char for char in map(chr, range(sys.maxunicode)) if unicodedata.bidirectional(char) in EXPLICIT
    }

    assert set(BIDI_EMBEDDINGS) == reordering


def test_marks_have_a_direction_and_are_not_seen() -> None:
    named = {unicodedata.name(mark) for mark in BIDI_MARKS}

    assert named == {"LEFT-TO-RIGHT MARK", "RIGHT-TO-LEFT MARK", "ARABIC LETTER MARK"}
    assert {unicodedata.category(char) for char in BIDI_CONTROLS} == {"Cf"}
