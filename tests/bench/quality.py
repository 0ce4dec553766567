"""Sound quality of PigWav's MP3, compared with ffmpeg's MP3 of the same WAV and bit rate.

python tests/bench/quality.py [SECONDS]

ffmpeg decodes both MP3s to floats; the reference is ffmpeg's decode of the WAV at the MP3's rate. For both, the same
filter mixes six channels down as documented.

SNR: power of the signal over power of the difference, sample by sample.
Level: power of the decoded MP3 over power of the signal.
Lag: delay of the decoded MP3 in samples; "inverted" if its polarity is inverted.
Exact: whether the number of samples is unchanged.
Bandwidth: the frequency at which a sweep over all frequencies falls by 6 dB.

The two use different versions of LAME (lameenc 1.9: LAME 4.0; the bundled ffmpeg 9: LAME 4.1), whose psychoacoustic
models differ: more inaudible noise is not worse sound. Quality 3 is the default of both. At quality 7 their models make
the same choices, so any difference that remains is caused by PigWav.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from codings import A_LAW_TAG, float_wav, packed
from converting import a_converter, finished, in_blocks
from factories import chunk, fmt_chunk, riff
from pigwav.settings import EncoderSettings
from reference import FFMPEG, by_ffmpeg

Signal = NDArray[np.float64]
"""Samples by channels, full scale is 1."""

SEED: Final = 11
LAME_QUALITIES: Final = (3, 7)
WINDOW_S: Final = 0.05
FALLEN_DB: Final = -6
SURROUND: Final = "pan=stereo|" + "|".join(
    f"c{side}=0.343146*c{side}+0.242641*c2+0.171573*c3+0.242641*c{4 + side}" for side in (0, 1)
)
HEAD: Final = (
    f"{'':<21}{'':>5}   {'SNR, dB':^22}   {'level, dB':^13}   {'lag':^7}   {'exact':^9}   {'bandwidth, kHz':^14}\n"
    f"{'WAV':<21}{'kb/s':>5}   {'ours':>6}{'ffmpeg':>8}{'differ':>8}   {'ours':>6}{'ffmpeg':>7}"
    f"   {'ours':>4}{'ff':>3}   {'ours':>4}{'ff':>5}   {'ours':>7}{'ffmpeg':>7}"
)


@dataclass(frozen=True)
class Input:
    """A kind of WAV. `mix`: ffmpeg's filter that makes the MP3's channels of the WAV's."""

    name: str
    rate_hz: int
    mp3_rate_hz: int
    channels: int
    written: Callable[[Signal, int], bytes]
    bit_rates_kbps: tuple[int, ...]
    mix: str = ""

    @property
    def mp3_channels(self) -> int:
        return min(self.channels, 2)


@dataclass(frozen=True)
class Coding:
    kind: Input
    kbps: int
    lame_quality: int


@dataclass(frozen=True)
class Quality:
    snr_db: float
    level_db: float
    lag: str
    exact: bool
    bandwidth_hz: float = 0


def integers(bits: int) -> Callable[[Signal, int], bytes]:
    def written(signal: Signal, rate_hz: int) -> bytes:
        values = np.rint(signal * ((1 << bits - 1) - 1)).astype(np.int64)
        fmt = fmt_chunk(bits=bits, channels=signal.shape[1], rate=rate_hz)
        return riff(fmt + chunk(b"data", packed(values, bits // 8)))

    return written


def floats(signal: Signal, rate_hz: int) -> bytes:
    return float_wav(signal.astype("<f4"), rate_hz).wav


def a_law(signal: Signal, rate_hz: int) -> bytes:
    raw = ["-f", "f64le", "-ar", str(rate_hz), "-ac", str(signal.shape[1])]
    codes = ffmpeg([*raw, "-i", "-", "-f", "alaw", "-"], signal.tobytes())
    fmt = fmt_chunk(tag=A_LAW_TAG, bits=8, channels=signal.shape[1], rate=rate_hz)
    return riff(fmt + chunk(b"data", codes))


INPUTS: Final = (
    Input("16-bit 44.1 kHz", 44_100, 44_100, 2, integers(16), (64, 128, 192, 320)),
    Input("16-bit mono 44.1 kHz", 44_100, 44_100, 1, integers(16), (64, 128)),
    Input("24-bit 48 kHz", 48_000, 48_000, 2, integers(24), (128, 320)),
    Input("32-bit float 44.1 kHz", 44_100, 44_100, 2, floats, (128, 320)),
    Input("A-law mono 8 kHz", 8_000, 8_000, 1, a_law, (24, 64)),
    Input("6 channels 48 kHz", 48_000, 48_000, 6, integers(16), (128, 320), SURROUND),
    Input("24-bit 96 kHz", 96_000, 48_000, 2, integers(24), (128, 320)),
)


def main(seconds: float = 10) -> None:
    print((__doc__ or "").strip())
    for lame_quality in LAME_QUALITIES:
        print(f"\n{seconds:g} s of tones, strokes and noise at LAME's quality {lame_quality}\n{HEAD}")
        for kind in INPUTS:
            _print_lines(kind, seconds, lame_quality)


def _print_lines(kind: Input, seconds: float, lame_quality: int) -> None:
    music, sweep = (make(seconds, kind.rate_hz, kind.channels) for make in (music_of, sweep_of))
    for kbps in kind.bit_rates_kbps:
        coding = Coding(kind, kbps, lame_quality)
        print(_line(coding, *qualities(coding, music, sweep)), flush=True)


def _line(coding: Coding, ours: Quality, theirs: Quality) -> str:
    difference_db = ours.snr_db - theirs.snr_db
    return (
        f"{coding.kind.name:<21}{coding.kbps:>5}   {ours.snr_db:>6.2f}{theirs.snr_db:>8.2f}{difference_db:>+8.2f}"
        f"   {ours.level_db:>+6.2f}{theirs.level_db:>+7.2f}   {ours.lag:>4}{theirs.lag:>3}"
        f"   {_said(ours.exact):>4}{_said(theirs.exact):>5}"
        f"   {ours.bandwidth_hz / 1000:>7.2f}{theirs.bandwidth_hz / 1000:>7.2f}"
    )


def _said(yes: object) -> str:
    return "yes" if yes else "no"


def music_of(seconds: float, rate_hz: int, channels: int) -> Signal:
    """Gliding tones, decaying strokes and a noise floor, different in each channel. The peak is 0.8 of full scale."""
    random, time_s = np.random.default_rng(SEED), np.arange(int(seconds * rate_hz)) / rate_hz
    made = np.empty((len(time_s), channels))
    for channel in range(channels):
        hz, wobble_hz = random.uniform(80, min(6_000, rate_hz / 3), 12), random.uniform(0.1, 3, 12)
        tones = sum(
            np.sin(2 * np.pi * f * time_s + 4 * np.sin(w * time_s)) / (i + 2)
            for i, (f, w) in enumerate(zip(hz, wobble_hz, strict=True))
        )
        strokes = random.normal(0, 1, len(time_s)) * np.exp(-((time_s + channel / 7) % 0.5) * 30)
        made[:, channel] = tones + strokes + random.normal(0, 0.01, len(time_s))
    return 0.8 * made / np.abs(made).max()


def sweep_of(seconds: float, rate_hz: int, channels: int) -> Signal:
    """A linear sweep from 0 Hz to half the sample rate, the same in every channel."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    tone = 0.5 * np.sin(np.pi * rate_hz / 2 / seconds * time_s**2)
    return np.repeat(tone[:, None], channels, axis=1)


def qualities(coding: Coding, music: Signal, sweep: Signal) -> Iterator[Quality]:
    """Yields PigWav's quality, then ffmpeg's."""
    kind = coding.kind
    wav, sweep_wav = kind.written(music, kind.rate_hz), kind.written(sweep, kind.rate_hz)
    due = -(-len(music) * kind.mp3_rate_hz // kind.rate_hz)
    reference, sweep_reference = _signal(kind, wav), _signal(kind, sweep_wav)
    for encode in (_by_us, _by_libmp3lame):
        heard = compared(reference, played(encode(coding, wav), kind), due)
        bandwidth_hz = bandwidth_of(sweep_reference, played(encode(coding, sweep_wav), kind), kind)
        yield replace(heard, bandwidth_hz=bandwidth_hz)


def _by_us(coding: Coding, wav: bytes) -> bytes:
    async def converted() -> bytes:
        with a_converter(encoder=EncoderSettings(lame_quality=coding.lame_quality)) as converter:
            conversion = await converter.open(in_blocks(wav), bitrate_kbps=coding.kbps)
            return (await finished(conversion)).mp3

    return asyncio.run(converted())


def _by_libmp3lame(coding: Coding, wav: bytes) -> bytes:
    mix = ["-af", f"aformat=sample_fmts=fltp,{coding.kind.mix}"] if coding.kind.mix else []
    lame = ["-c:a", "libmp3lame", "-compression_level", str(coding.lame_quality), "-b:a", f"{coding.kbps}k"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "out.mp3")  # not a pipe: ffmpeg writes the first frame last
        ffmpeg(["-i", "-", *mix, *lame, str(file)], wav)
        return file.read_bytes()


def _signal(kind: Input, wav: bytes) -> Signal:
    filters = f"aformat=sample_fmts=fltp,{kind.mix}" if kind.mix else ""
    rate_hz = kind.mp3_rate_hz if kind.mp3_rate_hz != kind.rate_hz else None
    pcm = by_ffmpeg(wav, channels=kind.mp3_channels, rate_hz=rate_hz, filters=filters)
    return pcm.astype(np.float64) / 32_768


def played(mp3: bytes, kind: Input) -> Signal:
    """Decodes from a file: only then does the decoder honour delay and padding."""
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(mp3)
        file.flush()
        pcm = ffmpeg(["-i", file.name, "-f", "f64le", "-"])
    return np.frombuffer(pcm, "<f8").reshape(-1, kind.mp3_channels)


def ffmpeg(arguments: list[str], standard_input: bytes = b"") -> bytes:
    command = [FFMPEG, "-v", "error", *arguments]
    return subprocess.run(command, input=standard_input, capture_output=True, check=True).stdout


def compared(reference: Signal, heard: Signal, due: int) -> Quality:
    """Compares the samples that both have, without alignment: a delay counts as noise."""
    both = min(len(reference), len(heard))
    one, other = reference[:both], heard[:both]
    power = np.sum(one**2)
    snr_db, level_db = decibels(power / np.sum((one - other) ** 2)), decibels(np.sum(other**2) / power)
    return Quality(snr_db, level_db, lag_of(one[:, 0], other[:, 0]), len(heard) == due)


def lag_of(reference: NDArray[np.float64], heard: NDArray[np.float64]) -> str:
    """The lag (samples) with the largest correlation."""
    size = 2 * len(reference)
    product = np.conj(np.fft.rfft(reference, size)) * np.fft.rfft(heard, size)
    correlation = np.fft.irfft(product, size)
    peak = int(np.argmax(np.abs(correlation)))
    lag = peak - size if peak > size // 2 else peak
    return f"{lag}" if correlation[peak] > 0 else f"{lag} inverted"


def bandwidth_of(reference: Signal, heard: Signal, kind: Input) -> float:
    """The frequency (Hz) of the sweep's last window that has not fallen by 6 dB."""
    window = int(WINDOW_S * kind.mp3_rate_hz)
    count = min(len(reference), len(heard)) // window
    powers = [np.sum(s[: count * window].reshape(count, -1) ** 2, axis=1) for s in (reference, heard)]
    audible = powers[1] > powers[0] * 10 ** (FALLEN_DB / 10)
    audible &= powers[0] > powers[0].max() / 100  # ignore what the resampler itself cuts off
    swept = (np.flatnonzero(audible)[-1] + 1) * window / len(reference)
    return float(swept) * kind.rate_hz / 2


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
