"""The OpenAPI description of an upload that type annotations cannot express: two kinds of body, a query, a header."""

from typing import Any, Final

from pigwav.api import idempotency
from pigwav.api.incoming_upload import FORM_TYPE, RAW_TYPES
from pigwav.api.schemas import EXAMPLE_TOKEN
from pigwav.domain import SOUND_WARNINGS

_BINARY: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_STRICT: Final = (
    "Warnings about the sound with which the upload fails (422 `sound-refused`), separated by commas: "
    f"{', '.join(sorted(SOUND_WARNINGS))}."
)
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "user_id": {
            "type": "integer",
            "description": "The user id. Put it before the file. Not needed with a Bearer token.",
        },
        "token": {
            "type": "string",
            "format": "uuid",
            "description": "The access token. Put it before the file. Not needed with a Bearer token.",
        },
        "title": {
            "type": "string",
            "description": "The title. Default: the WAV's own title, else the file's name.",
        },
        "bitrate": {"type": "integer", "description": "Constant bit rate in kb/s. Put it before the file."},
        "strict": {"type": "string", "description": f"{_STRICT} Put it before the file."},
        "file": _BINARY | {"description": "The WAV."},
    },
}
_QUERY: Final[list[dict[str, Any]]] = [
    {
        "name": "user",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "The user id. If it is given, it must be that of the token's user.",
    },
    {
        "name": "title",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Only with a raw body: the title. Default: the WAV's own title, else `filename`.",
    },
    {
        "name": "filename",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Only with a raw body: the file's name.",
    },
    {
        "name": "bitrate",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "Only with a raw body: constant bit rate in kb/s.",
    },
    {
        "name": "strict",
        "in": "query",
        "schema": {"type": "string"},
        "description": f"Only with a raw body. {_STRICT}",
        "example": "clipped,silent",
    },
]
_KEY: Final[dict[str, Any]] = {
    "name": idempotency.NAME,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "A name that the client gives to this upload, preferably a UUID. Send the same key with every "
    "retry: however many tries arrive, one recording is made, and every try gets its answer. The service remembers "
    "the key for a day by default.",
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
