"""A few hundred inputs of mutated_corpus.py against an API in this process."""

from collections.abc import Iterator
from dataclasses import replace

import httpx2
import psutil
import pytest
from sqlalchemy import make_url

from accounts import register
from e2e.behind import Behind, behind_address
from fuzz.campaign import Campaign, left_over, objects_of
from pigwav.devstack import StackAddress
from pigwav.settings import Settings, UploadLimits
from serving import served
from waiting import wait_until

WAVS = 200
HOSTILE = 150
MAX_SECONDS = 60


@pytest.fixture
def campaign(settings: Settings) -> Iterator[Campaign]:
    limits = UploadLimits(max_duration_s=MAX_SECONDS, idle_timeout_s=5)
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        httpx2.Client(base_url=api.url, timeout=30) as http,
    ):
        yield Campaign(api.url, register(http), register(http), seed=6)


@pytest.fixture
def inside(stack: StackAddress, settings: Settings) -> Iterator[Behind]:
    """The rows of the session's own database; the bucket is shared with other tests."""
    assert settings.database.url
    plain = make_url(settings.database.url.get_secret_value()).set(drivername="postgresql")
    with behind_address(replace(stack, database_url=plain.render_as_string(hide_password=False))) as opened:
        yield opened


@pytest.mark.long
def test_hostile_inputs_are_refused_or_play_and_leave_nothing(campaign: Campaign, inside: Behind) -> None:
    before = objects_of(inside, campaign.uploader.id) | objects_of(inside, campaign.attacker.id)

    report = campaign.run(range(WAVS), range(HOSTILE), clients=4)

    assert report.findings == []
    assert report.inputs == WAVS + HOSTILE
    assert len(report.acknowledged) > WAVS // 10
    assert report.decoded > 0

    def left() -> list[str]:
        ours = psutil.Process().children(recursive=True)
        return left_over(campaign, report, inside, ours, before=before)

    wait_until(lambda: left() == [])
