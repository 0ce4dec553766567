"""CPU time of the measured facts as a share of LAME's, and loudness against ffmpeg's ebur128.

python tests/bench/levels.py WAV...

WAV: 16 bits, mono or stereo, at a sample rate of MP3. Measure on music and speech: silence and tones are cheaper.
"""

import re
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from pigwav.audio.ffmpeg import find_ffmpeg
from pigwav.audio.lame import LameEncoder
from pigwav.audio.levels import LevelMeter
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.waveform import WaveformMeter
from pigwav.settings import EncoderSettings
from unit.test_audio_levels import FACTS

BLOCK_BYTES = 128 * 1024
LARGE_BYTES = 8 * 1024 * 1024


def main(*paths: str) -> None:
    bytearray(LARGE_BYTES)  # once freed, glibc keeps what is freed later, as in the service
    print("| WAV | LAME | levels | waveform | LUFS | ffmpeg | LU | ffmpeg |\n| --- |" + " --- |" * 7)
    for path in paths:
        with wave.open(path) as opened:
            pcm_format = PcmFormat(opened.getframerate(), opened.getnchannels())
            pcm = opened.readframes(opened.getnframes())
        encoder, levels, waveform = _encoder(pcm_format), LevelMeter(pcm_format), WaveformMeter(pcm_format)
        lame_s, levels_s, waveform_s = _cpu_s(pcm, encoder.encode, levels.feed, waveform.feed)
        measured = levels.complete(FACTS).levels
        assert measured
        lufs, range_lu = _ebur128(path)
        print(
            f"| {Path(path).name} | {lame_s:.2f} s | {levels_s / lame_s:.1%} | {waveform_s / lame_s:.1%} |"
            f" {measured.loudness_lufs} | {lufs} | {measured.loudness_range_lu} | {range_lu} |",
            flush=True,
        )


def _encoder(pcm_format: PcmFormat) -> LameEncoder:
    settings = EncoderSettings()
    kbps = settings.bitrate_stereo_kbps if pcm_format.channels == 2 else settings.bitrate_mono_kbps
    if pcm_format.sample_rate_hz <= 12_000:
        kbps = settings.bitrate_low_mono_kbps
    return LameEncoder(
        Mp3Format(pcm_format.sample_rate_hz, pcm_format.channels, kbps), quality=settings.lame_quality
    )


def _cpu_s(pcm: bytes, *takers: Callable[[bytes], object]) -> list[float]:
    """The CPU seconds of each. They take turns, as in the service, so that a busy machine disturbs all of them."""
    spent = [0.0] * len(takers)
    for start in range(0, len(pcm), BLOCK_BYTES):
        block = pcm[start : start + BLOCK_BYTES]
        for number, take in enumerate(takers):
            began = time.thread_time()
            take(block)
            spent[number] += time.thread_time() - began
    return spent


def _ebur128(path: str) -> tuple[str, str]:
    command = [find_ffmpeg(None), "-hide_banner", "-nostats", "-i", path, "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return re.findall(r"I:\s+(\S+) LUFS", said)[-1], re.findall(r"LRA:\s+(\S+) LU", said)[-1]


if __name__ == "__main__":
    main(*sys.argv[1:])
