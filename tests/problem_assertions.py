"""Assertions about error responses."""

import httpx2


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith(".") and not text.endswith("..")


def assert_problem(answer: httpx2.Response, status: int, code: str) -> dict:
    """Checks a problem document (RFC 9457) with our stable code. Returns the document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["type"] == f"urn:pigwav:problem:{code}"
    assert document["title"]
    assert is_sentence(document.get("detail", document["title"]))
    assert answer.headers.get("www-authenticate") == ('Bearer realm="pigwav"' if status == 401 else None)
    trying_again_helps = status in (429, 503, 507) or code == "upload-in-progress"
    assert ("retry-after" in answer.headers) == trying_again_helps
    return document
