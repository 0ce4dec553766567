"""Draws spectrograms of the same audio, encoded by one run and by several, with a mark at each seam.

python tests/bench/seams.py [service/docs/seams.png]

It also prints the difference in signal-to-noise ratio of the frames around each seam.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parents[1]))
from converting import played
from materials import material
from parallel_encoding import Encoded, check, eager, encoded
from pigwav.audio.info import info_frame
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format, Mp3Shape

CD: Final = Mp3Format(44_100, 2, 128)
FRAMES: Final = 520
SAMPLES: Final = FRAMES * CD.frame_samples
QUALITY: Final = 3
WIDTH, HEIGHT, MARK = 800, 160, 14
COLOURS: Final = 12
INK, PAPER = (200, 30, 30), (255, 255, 255)


def main(target: str = "service/docs/seams.png") -> None:
    pcm = material("music", samples=SAMPLES, rate_hz=CD.sample_rate_hz, channels=CD.channels)
    lame = LameEncoder(CD, quality=QUALITY)
    one = Encoded(lame.encode(pcm) + lame.flush())
    segments = eager(CD)
    several = encoded(pcm, segments, quality=QUALITY)
    check(several, segments, SAMPLES)
    frames = [seam.frame for seam in several.seams]
    heard = [decoded(made) for made in (one, several)]
    for frame in frames:
        differences = snr_db(pcm, heard[1], frame) - snr_db(pcm, heard[0], frame)
        print(f"seam at frame {frame}: {differences:+.2f} dB around it")
    together([spectrogram(audio) for audio in heard], frames).save(target, optimize=True)
    print(f"{target}: {Path(target).stat().st_size} bytes")


def decoded(made: Encoded) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        first_frame = info_frame(CD, Mp3Shape.of(SAMPLES, CD), lame_quality=QUALITY)
        return played(first_frame + made.frames, Path(folder), channels=CD.channels)


def snr_db(pcm: bytes, heard: bytes, frame: int) -> float:
    first, stop = ((frame + k) * CD.frame_samples * CD.channels for k in (-2, 4))
    signal, decoded_signal = (np.frombuffer(audio, "<i2")[first:stop].astype(float) for audio in (pcm, heard))
    return float(10 * np.log10(np.sum(signal**2) / np.sum((signal - decoded_signal) ** 2)))


def spectrogram(pcm: bytes) -> Image.Image:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spectrogram.png")
        drawing = f"showspectrumpic=s={WIDTH}x{HEIGHT}:mode=combined:legend=0:scale=log"
        source = ["-f", "s16le", "-ar", str(CD.sample_rate_hz), "-ac", str(CD.channels), "-i", "-"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, "-lavfi", drawing, str(path)]
        subprocess.run(command, input=pcm, check=True)
        return Image.open(path).convert("RGB")


def together(pictures: list[Image.Image], seams: list[int]) -> Image.Image:
    """One below the other, with marks between them."""
    page = Image.new("RGB", (WIDTH, 2 * HEIGHT + MARK), PAPER)
    page.paste(pictures[0], (0, 0))
    page.paste(pictures[1], (0, HEIGHT + MARK))
    pen = ImageDraw.Draw(page)
    for frame in seams:
        x = frame * WIDTH // FRAMES
        pen.polygon([(x - 5, HEIGHT + 2), (x + 5, HEIGHT + 2), (x, HEIGHT + MARK - 2)], fill=INK)
    return page.quantize(COLOURS)


if __name__ == "__main__":
    main(*sys.argv[1:])
