"""What the OpenAPI document says of errors."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pigwav.api.problems import INTERNAL_ERROR, PROBLEM_JSON, RETRY_AFTER_S, status_of
from pigwav.api.schemas import ProblemOut
from pigwav.errors import PigWavError


def problems(*kinds: type[PigWavError]) -> dict[int | str, dict[str, Any]]:
    """Declare what a route may raise, a branch of the error tree or a single error each."""
    codes: dict[int, set[str]] = defaultdict(set)
    for kind in kinds:
        for leaf in leaves(kind):
            status = status_of(leaf)
            codes[status].add(INTERNAL_ERROR[0] if status == HTTPStatus.INTERNAL_SERVER_ERROR else leaf.code)
    return {status: _declared(status, codes[status]) for status in sorted(codes)}


def leaves(kind: type[PigWavError] = PigWavError) -> Iterator[type[PigWavError]]:
    """The errors that are raised: the ends of the tree."""
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from leaves(child)


def describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem schema, and to every operation the answer that a bug of ours would give."""
    document["components"].setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("500", _declared(500, {INTERNAL_ERROR[0]}))
    return document


def _declared(status: int, codes: set[str]) -> dict[str, Any]:
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in sorted(codes))}",
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
