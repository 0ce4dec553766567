"""Describes errors in the OpenAPI document."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from pigwav.api.problems import INTERNAL_ERROR, PROBLEM_JSON, answer_to, status_of
from pigwav.api.routes import MONITORING
from pigwav.api.schemas import ProblemOut
from pigwav.errors import PigWavError, RateLimited


def problems(*kinds: type[PigWavError]) -> dict[int | str, dict[str, Any]]:
    """Declare the errors that a route may raise. Each of `kinds` is a single error or a branch of the error tree."""
    by_status: dict[int, list[type[PigWavError]]] = defaultdict(list)
    for kind in kinds:
        for leaf in leaves(kind):
            by_status[status_of(leaf)].append(leaf)
    return {status: _declared(status, by_status[status]) for status in sorted(by_status)}


def leaves(kind: type[PigWavError] = PigWavError) -> Iterator[type[PigWavError]]:
    """The errors of a branch that are raised, each once: its leaves, and inner classes with a `code` of their own."""
    found = [kind for kind in _branch(kind) if not kind.__subclasses__() or "code" in vars(kind)]
    yield from dict.fromkeys(found)


def _branch(kind: type[PigWavError]) -> Iterator[type[PigWavError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _branch(child)


def describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem schema, and the answers that every operation may give: 429 (not monitoring) and 500."""
    document["components"].setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path not in MONITORING:
                operation["responses"].setdefault("429", _declared(429, [RateLimited]))
                operation["responses"]["429"]["headers"].update(_RATE_FIELDS)
            operation["responses"].setdefault("500", _declared(500, []))
    return document


def _declared(status: int, kinds: list[type[PigWavError]]) -> dict[str, Any]:
    codes = (
        {INTERNAL_ERROR[0]} if status == HTTPStatus.INTERNAL_SERVER_ERROR else {kind.code for kind in kinds}
    )
    headers = {header.name: _text(header.description) for kind in kinds for header in answer_to(kind).headers}
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in sorted(codes))}",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        "headers": headers,
    }


def _text(description: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": description}


_RATE_FIELDS: Final = dict.fromkeys(
    ("RateLimit-Policy", "RateLimit"), _text("draft-ietf-httpapi-ratelimit-headers-10")
)
