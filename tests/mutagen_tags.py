"""Reads our ID3 tags with mutagen."""

import io

from mutagen.id3 import ID3

from pigwav.domain import Tags


def seen_by_mutagen(tag: bytes) -> Tags:
    """The frames of a tag. Fails if there is a frame that we do not write."""
    read = ID3(io.BytesIO(tag))
    seen = {key: str(frame) for key, frame in read.items()}
    reference = seen.pop("TXXX:time_reference", None)
    found = Tags(
        title=seen.pop("TIT2", None),
        artist=seen.pop("TPE1", None),
        album=seen.pop("TALB", None),
        date=seen.pop("TDRC", None) or seen.pop("TXXX:date", None),
        comment=seen.pop("COMM::eng", None),
        track=seen.pop("TRCK", None),
        originator=seen.pop("TXXX:originator", None),
        time_reference_samples=int(reference) if reference else None,
    )
    assert (seen, read.unknown_frames) == ({}, [])
    return found
