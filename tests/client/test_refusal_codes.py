"""Every problem code of the service has an error class in the client."""

import re
from typing import Final

from docs.tables import errors_table
from pigwav.client import BadInput, NameTaken, NotAuthenticated, NotFound, Refused, TryLater
from pigwav.client.refusals import BY_CODE

SERVED: Final = {
    code: int(status)
    for status, code in re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", errors_table(), re.MULTILINE)
}
"""The service's codes and their statuses, from its errors and its table of statuses."""

MEANT: Final = {
    400: BadInput,
    401: NotAuthenticated,
    403: Refused,
    404: NotFound,
    405: Refused,
    408: Refused,
    411: BadInput,
    412: Refused,
    413: BadInput,
    415: BadInput,
    416: Refused,
    422: BadInput,
    429: TryLater,
    431: Refused,
    500: Refused,
    503: TryLater,
    507: TryLater,
}
OF_CONFLICTS: Final = {"name-taken": NameTaken, "upload-in-progress": TryLater}
"""Both are 409, but need different reactions."""


def test_the_client_knows_each_code_of_the_service_and_no_other() -> None:
    assert len(SERVED) > 40
    assert {*BY_CODE} == {*SERVED}


def test_each_code_becomes_the_error_that_says_what_to_do() -> None:
    assert {code: BY_CODE[code] for code in SERVED} == {
        code: OF_CONFLICTS[code] if status == 409 else MEANT[status] for code, status in SERVED.items()
    }
