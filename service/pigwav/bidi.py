"""Unicode's Bidi_Control characters: they are invisible and change the direction of the text around them."""

from typing import Final

BIDI_MARKS: Final = "\u061c\u200e\u200f"
"""Marks set the direction at one place: Hebrew and Arabic need them beside digits and punctuation."""

BIDI_EMBEDDINGS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Embeddings, overrides and isolates: they reorder the text that follows, so that `exe.mp3` can look like `3pm.exe`."""

BIDI_CONTROLS: Final = frozenset(BIDI_MARKS + BIDI_EMBEDDINGS)
