"""Warnings about a WAV that was converted although its header is wrong, not all of it is audio, or its sound is
probably not what was meant. Pure.
"""

from collections.abc import Iterator
from typing import Final

from pigwav.audio.chunks import Tail
from pigwav.audio.data_size import DataSize, Shortfall
from pigwav.audio.wav import WavHeader
from pigwav.domain import AudioWarning, ChannelLevels, Levels, WarningCode

CLIPPED_FROM_S: Final = 0.005
"""All clipped samples together. Some peaks of loud music are clipped, too; nobody hears less."""

SILENT_BELOW_DBFS: Final = -60.0
VERY_QUIET_BELOW_LUFS: Final = -45.0
INVERTED_FROM_CORRELATION: Final = -0.9
DC_OFFSET_FROM: Final = 0.01


def header_warnings(header: WavHeader) -> Iterator[AudioWarning]:
    wav = header.format
    if wav.wrong_block_bytes is not None:
        yield AudioWarning(
            WarningCode.BLOCK_ALIGN_CORRECTED,
            f"The fmt chunk declares blocks of {wav.wrong_block_bytes} bytes, but its other fields give "
            f"{wav.block_bytes} bytes, which were used.",
            wav.wrong_block_bytes,
            "bytes",
        )
    if header.has_second_fmt:
        yield AudioWarning(
            WarningCode.SECOND_FMT_CHUNK_IGNORED,
            "The WAV has several fmt chunks before the audio. The first one was used.",
        )


def size_warnings(size: DataSize, received_bytes: int) -> Iterator[AudioWarning]:
    match size.shortfall(received_bytes):
        case Shortfall.TRUNCATED:
            declared_ms, received_ms = size.declared_duration_ms or 0, size.duration_ms(received_bytes)
            yield AudioWarning(
                WarningCode.TRUNCATED,
                f"The header declares {declared_ms / 1000:.3f} s of audio, and the WAV contains the first "
                f"{received_ms / 1000:.3f} s. The end is missing.",
                declared_ms - received_ms,
                "ms",
            )
        case Shortfall.WRONG_SIZE:
            yield AudioWarning(
                WarningCode.SIZE_FIELD_WRONG,
                f"The size of the data chunk is wrong: it declares {size.declared_bytes} bytes of audio. The WAV has "
                f"{received_bytes}, and all of them were converted.",
                size.declared_bytes,
                "bytes",
            )


def decoding_warnings(lost_ms: int) -> Iterator[AudioWarning]:
    if lost_ms > 0:
        yield AudioWarning(
            WarningCode.DAMAGED_AUDIO_LEFT_OUT,
            "A part of the audio is damaged and could not be decoded. It was left out.",
            lost_ms,
            "ms",
        )


def tail_warnings(tail: Tail) -> Iterator[AudioWarning]:
    for code, ignored_bytes, found in (
        (WarningCode.SECOND_DATA_CHUNK_IGNORED, tail.second_data_bytes, "another data chunk follows"),
        (WarningCode.SECOND_FILE_IGNORED, tail.second_file_bytes, "another WAV file follows"),
        (WarningCode.BYTES_AFTER_AUDIO_IGNORED, tail.unknown_bytes, "bytes follow that belong to no chunk"),
    ):
        if ignored_bytes:
            detail = f"After the audio, {found}: {ignored_bytes} bytes were not converted."
            yield AudioWarning(code, detail, ignored_bytes, "bytes")


def level_warnings(levels: Levels, sample_rate_hz: int) -> Iterator[AudioWarning]:
    clipped = sum(channel.clipped_samples or 0 for channel in levels.channels)
    if clipped >= CLIPPED_FROM_S * sample_rate_hz:
        yield AudioWarning(
            WarningCode.CLIPPED,
            f"The sound is clipped in {clipped} samples: it was louder than the recorder could store.",
            clipped,
            "samples",
        )
    peak_dbfs = levels.peak_dbfs
    if peak_dbfs < SILENT_BELOW_DBFS:
        yield AudioWarning(
            WarningCode.SILENT, f"There is only silence: the peak is {peak_dbfs:.1f} dBFS.", peak_dbfs, "dBFS"
        )
    elif levels.loudness_lufs is not None and levels.loudness_lufs < VERY_QUIET_BELOW_LUFS:
        yield AudioWarning(
            WarningCode.VERY_QUIET,
            f"The recording is very quiet: {levels.loudness_lufs:.1f} LUFS. Speech is usually at about -23 LUFS.",
            levels.loudness_lufs,
            "LUFS",
        )
    if len(levels.channels) == 2 and peak_dbfs >= SILENT_BELOW_DBFS:
        yield from _channel_warnings(*levels.channels, levels)
    offset = max((channel.dc_offset for channel in levels.channels), key=abs)
    if abs(offset) >= DC_OFFSET_FROM:
        yield AudioWarning(
            WarningCode.DC_OFFSET,
            f"The samples are not centred on zero: their mean is {100 * offset:.1f}% of full scale.",
            round(100 * offset, 3),
            "percent",
        )


def _channel_warnings(left: ChannelLevels, right: ChannelLevels, levels: Levels) -> Iterator[AudioWarning]:
    for name, channel in (("left", left), ("right", right)):
        if channel.peak_dbfs < SILENT_BELOW_DBFS:
            yield AudioWarning(
                WarningCode.CHANNEL_SILENT,
                f"The {name} channel is silent: its peak is {channel.peak_dbfs:.1f} dBFS.",
                channel.peak_dbfs,
                "dBFS",
            )
    if levels.identical:
        yield AudioWarning(
            WarningCode.CHANNELS_IDENTICAL,
            "Both channels are the same: the recording is mono.",
            levels.correlation,
        )
    if levels.correlation is not None and levels.correlation <= INVERTED_FROM_CORRELATION:
        yield AudioWarning(
            WarningCode.CHANNELS_INVERTED,
            f"One channel is the other one inverted (correlation {levels.correlation:.2f}). "
            "Played in mono, they cancel each other.",
            levels.correlation,
        )
