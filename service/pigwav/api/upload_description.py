"""What OpenAPI says of an upload that no type annotation can say: its two kinds of body, its query, its header."""

from typing import Any, Final

from pigwav.api import idempotency
from pigwav.api.incoming_upload import FORM_TYPE, RAW_TYPES
from pigwav.api.schemas import EXAMPLE_TOKEN

_BINARY: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "user_id": {
            "type": "integer",
            "description": "Before the file, with `token`; not needed with Bearer.",
        },
        "token": {
            "type": "string",
            "format": "uuid",
            "description": "Before the file; not needed with Bearer.",
        },
        "title": {"type": "string", "description": "Else the WAV's own, else the file's name."},
        "bitrate": {"type": "integer", "description": "kb/s, constant; before the file."},
        "file": _BINARY | {"description": "The WAV."},
    },
}
_QUERY: Final[list[dict[str, Any]]] = [
    {
        "name": "user",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "The user id; if it is given, it must be that of the token.",
    },
    {"name": "title", "in": "query", "schema": {"type": "string"}, "description": "Raw body: the title."},
    {
        "name": "filename",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Raw body: the file's name, the title where neither `title` nor the WAV gives one.",
    },
    {"name": "bitrate", "in": "query", "schema": {"type": "integer"}, "description": "Raw body: kb/s."},
]
_KEY: Final[dict[str, Any]] = {
    "name": idempotency.NAME,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "A name of the sender's for this upload, the same in every try of it: however many of them arrive, "
    "one recording is made, and all get its answer. Best a UUID; remembered for a day.",
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}
UPLOAD: Final[dict[str, Any]] = {
    "parameters": [*_QUERY, _KEY],
    "requestBody": {
        "required": True,
        "content": {
            FORM_TYPE: {"schema": _FORM_SCHEMA, "example": {"user_id": 1, "token": EXAMPLE_TOKEN}},
            **{kind: {"schema": _BINARY} for kind in RAW_TYPES},
        },
    },
}
