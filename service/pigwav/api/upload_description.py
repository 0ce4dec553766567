"""The part of the upload's OpenAPI description that type annotations cannot express: bodies, query, header."""

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
            "description": "The user's id. Put it before the file. Not needed with a Bearer token.",
        },
        "token": {
            "type": "string",
            "format": "uuid",
            "description": "The access token. Put it before the file. Not needed with a Bearer token.",
        },
        "title": {"type": "string", "description": "Without it, the title in the WAV, else the file's name."},
        "bitrate": {"type": "integer", "description": "Constant bit rate in kb/s. Put it before the file."},
        "file": _BINARY | {"description": "The WAV."},
    },
}
_QUERY: Final[list[dict[str, Any]]] = [
    {
        "name": "user",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "The user's id. Optional; it must be the id of the token's user.",
    },
    {
        "name": "title",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Raw body only: the title.",
    },
    {
        "name": "filename",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Raw body only: the file's name. It is the title if neither `title` nor the WAV has one.",
    },
    {"name": "bitrate", "in": "query", "schema": {"type": "integer"}, "description": "Raw body only: kb/s."},
]
_KEY: Final[dict[str, Any]] = {
    "name": idempotency.NAME,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "The client's name for this upload, such as a UUID. Send the same key in every attempt: one "
    "recording is made, and every attempt gets the same answer. Keys are stored for a day.",
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
