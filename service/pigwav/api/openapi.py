"""What the OpenAPI document says of errors."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pigwav.api.problems import (
    INTERNAL_ERROR,
    PROBLEM_JSON,
    RETRY_AFTER_S,
    status_of,
)
from pigwav.api.rates import UNBOUNDED_PATHS
from pigwav.api.schemas import ProblemOut
from pigwav.errors import PigWavError, RateLimited


def problems(*kinds: type[PigWavError]) -> dict[int | str, dict[str, Any]]:
    """Declare what a route may raise, a branch of the error tree or a single error each."""
    codes: dict[int, set[str]] = defaultdict(set)
    for kind in kinds:
        for leaf in leaves(kind):
            status = status_of(leaf)
            codes[status].add(INTERNAL_ERROR[0] if status == HTTPStatus.INTERNAL_SERVER_ERROR else leaf.code)
    return {status: _declared(status, codes[status]) for status in sorted(codes)}


def leaves(kind: type[PigWavError] = PigWavError) -> Iterator[type[PigWavError]]:
    """The errors that are raised, each once: the ends of the tree, and what has a code of its own above them."""
    found = [kind for kind in _branch(kind) if not kind.__subclasses__() or "code" in vars(kind)]
    yield from dict.fromkeys(found)


def _branch(kind: type[PigWavError]) -> Iterator[type[PigWavError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _branch(child)


def describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem schema, and to every operation what any may answer: for its rate, and for a bug of ours."""
    document["components"].setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path not in UNBOUNDED_PATHS:
                operation["responses"].setdefault("429", _declared(429, {RateLimited.code}))
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
    if status == HTTPStatus.CONFLICT:
        return {"Retry-After": text | {"description": "Seconds, of `upload-in-progress`."}}
    if status in RETRY_AFTER_S:
        return {"Retry-After": text | {"description": f"{RETRY_AFTER_S[status]} (seconds)"}}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        rates = "draft-ietf-httpapi-ratelimit-headers-10"
        return {
            "Retry-After": text | {"description": "Seconds."},
            "RateLimit-Policy": text | {"description": rates},
            "RateLimit": text | {"description": rates},
        }
    return {}
