"""Generated odd WAVs: wrong headers, misplaced chunks, impossible fields; each with the allowed results.

python tests/odd_wavs.py FOLDER    writes them with an EXPECTED.tsv, for tests/bench/corpus_table.py
"""

import sys
from itertools import chain
from pathlib import Path

import odd_chunks
import odd_fields
from corpus import INDEX_NAME
from odd_wav import OddWav


def odd_wavs() -> dict[str, list[OddWav]]:
    """The odd WAVs by kind; deterministic. Names are unique and valid file names."""
    return {
        "RF64 and BW64": [*odd_chunks.big_ones()],
        "data sizes": [*odd_chunks.sizes()],
        "RIFF sizes": [*odd_chunks.riff_sizes()],
        "chunks of odd size": [*odd_chunks.unpadded()],
        "strange chunks": [*odd_chunks.strange_chunks()],
        "tags": [*odd_chunks.tags()],
        "several of a kind": [*odd_chunks.several_of_a_kind()],
        "fact": [*odd_chunks.facts()],
        "cut headers": [*odd_chunks.cut_headers()],
        "block size and byte rate": [*odd_fields.block_fields()],
        "bits": [*odd_fields.bits()],
        "channels": [*odd_fields.channels()],
        "rates": [*odd_fields.rates()],
        "extensible": [*odd_fields.extensible()],
        "WAVEFORMATEX": [*odd_fields.wave_format_ex()],
        "packets": [*odd_fields.packets()],
        "relatives of WAV": [*odd_chunks.relatives()],
    }


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file\texpected\tsamples\trate"]
    for odd in chain.from_iterable(odd_wavs().values()):
        name = odd.name.replace("/", "-").replace(" ", "_") + ".wav"
        (folder / name).write_bytes(odd.body)
        lines.append(f"{name}\t{odd.expected}\t{odd.samples[0] if odd.samples else ''}\t{odd.rate_hz}")
    (folder / INDEX_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
