"""What the OpenAPI document says of errors."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pigwav.api.problems import PROBLEM_JSON, RETRY_AFTER_S, status_of
from pigwav.api.schemas import ProblemOut
from pigwav.errors import PigWavError


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare that a route answers these statuses as problem documents."""
    return {status: _declared(status) for status in statuses}


def codes(status: int) -> list[str]:
    """The stable codes that errors of this status carry."""
    return sorted(kind.code for kind in every_error() if status_of(kind) == status)


def every_error(root: type[PigWavError] = PigWavError) -> Iterable[type[PigWavError]]:
    """The leaves of the error tree: the errors that are raised."""
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from every_error(child)


def _declared(status: int) -> dict[str, Any]:
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes(status)) or 'see `code`'}",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        "headers": _declared_headers(status),
    }


def _declared_headers(status: int) -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": text | {"description": "Bearer"}}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": text | {"description": f"{RETRY_AFTER_S} (seconds)"}}
    return {}


def describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem schema, and to every operation the answer that a bug of ours would give."""
    document["components"].setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("500", _declared(500))
    return document
