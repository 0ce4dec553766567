"""Response classes: their declarations define how JSON is read and written."""

from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from client.both import recording_json
from pigwav.api.schemas import (
    ChannelLevelsOut,
    LevelsOut,
    LimitsOut,
    MeOut,
    RecordingOut,
    SourceOut,
    TagsOut,
    UserOut,
    WarningOut,
)
from pigwav.client import (
    AudioWarning,
    ChannelLevels,
    Levels,
    Limits,
    Recording,
    Registered,
    Source,
    Tags,
    User,
)
from pigwav.client.answers import Answer

NULLABLE_TAGS = [one.name for one in fields(Tags)]


@dataclass(frozen=True)
class RecordingOfTomorrow(Recording):
    """A class with one more field."""

    loudness_lufs: float | None = None


def test_json_is_written_as_it_was_read() -> None:
    warning = {"code": "truncated", "detail": "Short.", "value": 12, "unit": "ms"}
    document = recording_json(created_at="2026-11-24T08:00:00.500000+00:00", warnings=[warning])
    del document["something_new"]
    document["tags"] = dict.fromkeys(NULLABLE_TAGS) | {"title": "Запись", "time_reference_samples": 0}

    written = Recording.from_json(document).as_json()

    assert written == document
    assert [*written] == [*document], "in the order of the contract"


def test_a_new_fact_is_one_line() -> None:
    read = RecordingOfTomorrow.from_json(recording_json(loudness_lufs=-120))

    assert (read.loudness_lufs, read.as_json()["loudness_lufs"]) == (-120.0, -120.0)
    assert isinstance(read.loudness_lufs, float)


@pytest.mark.parametrize("more", [{}, {"loudness_lufs": None}], ids=["absent", "null"])
def test_what_an_older_service_does_not_know_is_none(more: dict[str, Any]) -> None:
    document = recording_json(**more)
    for name in ("title", "declared_duration_ms", "tags", "warnings"):
        del document[name]

    read = RecordingOfTomorrow.from_json(document)

    assert (read.loudness_lufs, read.title, read.declared_duration_ms) == (None, None, None)
    assert (read.tags, read.warnings) == (Tags(), None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "x"},
        {"id": 5},
        {"bytes": None},
        {"duration_ms": "long"},
        {"created_at": "today"},
        {"source": []},
    ],
    ids=str,
)
def test_a_document_that_does_not_fit_is_not_read(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Recording.from_json(recording_json(**wrong))


def test_a_fact_that_is_always_there_must_be_there() -> None:
    document = recording_json()
    del document["sha256"]

    with pytest.raises(TypeError, match="sha256"):
        Recording.from_json(document)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Recording, RecordingOut),
        (Source, SourceOut),
        (Tags, TagsOut),
        (AudioWarning, WarningOut),
        (Levels, LevelsOut),
        (ChannelLevels, ChannelLevelsOut),
        (Limits, LimitsOut),
        (User, MeOut),
        (Registered, UserOut),
    ],
)
def test_the_declaration_is_that_of_the_services_schema(kind: type[Answer], schema: type[BaseModel]) -> None:
    """The same names, and the same ones may be null."""
    declared = {fact.metadata.get("json", fact.name): fact.type for fact in fields(kind)}
    served = {name: field.annotation for name, field in schema.model_fields.items()}

    assert {name: NoneType in get_args(of) for name, of in declared.items()} == {
        name: NoneType in get_args(of) for name, of in served.items()
    }
