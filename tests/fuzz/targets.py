"""All in-process targets: the same ones for atheris (coverage_guided.py) and hypothesis (tests/unit)."""

from typing import Final

from fuzz.field_targets import FIELD_TARGETS
from fuzz.form_targets import FORM_TARGETS
from fuzz.mp3_targets import MP3_TARGETS
from fuzz.tag_targets import TAG_TARGETS
from fuzz.target import Target
from fuzz.wav_targets import WAV_TARGETS

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (*WAV_TARGETS, *TAG_TARGETS, *MP3_TARGETS, *FORM_TARGETS, *FIELD_TARGETS)
}
