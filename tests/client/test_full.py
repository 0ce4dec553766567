"""A client repeats an upload that got 507 after the seconds in Retry-After."""

import pytest

from client.both import CREDENTIALS, UPLOADED, OpenClient, talking
from fakes.stub_service import Reply, one_after_the_other, problem
from pigwav.client import TryLater

FULL = problem(507, "storage-full", "Full.", headers={"Retry-After": "0"})
LIMITED = problem(429, "rate-limited", "Too often.", headers={"Retry-After": "0", "RateLimit": '"x";r=0;t=0'})


@pytest.mark.parametrize("refused", [FULL, LIMITED], ids=["full", "limited"])
def test_an_upload_is_tried_again_until_it_is_taken(open_client: OpenClient, refused: Reply) -> None:
    with talking(open_client, one_after_the_other(refused, refused, UPLOADED), *CREDENTIALS) as (
        stub,
        client,
    ):
        client.upload(b"RIFF")
    assert len(stub.received) == 3


def test_who_stays_full_is_told_in_one_sentence(open_client: OpenClient) -> None:
    told = r"^Full\. \(storage-full\)$"
    with (
        talking(open_client, FULL, *CREDENTIALS, attempts=2) as (_, client),
        pytest.raises(TryLater, match=told),
    ):
        client.upload(b"RIFF")
