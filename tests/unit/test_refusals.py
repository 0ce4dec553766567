"""Refusals before the application: each one is counted, but log lines are limited."""

import asyncio

from logged import Line, logged
from pigwav.api.connections.refusals import Refusals
from pigwav.errors import Limit
from pigwav.telemetry.metrics import Metrics


async def refuse_many(refusals: Refusals, lines: list[Line]) -> None:
    for _ in range(1000):
        refusals.add("overloaded", Limit.CONNECTIONS)
    refusals.add("overloaded", Limit.UPLOADS)
    refusals.add("malformed-http", None)
    assert [line["count"] for line in lines] == [1, 1, 1]
    await timers()


async def timers() -> None:
    """Lets the loop run timers that are due."""
    for _ in range(2):
        await asyncio.sleep(0)


def test_the_first_of_a_kind_is_logged_at_once_and_the_others_together_with_their_number() -> None:
    with logged() as lines:
        asyncio.run(refuse_many(Refusals(Metrics(), log_every_s=0), lines))

    said = [(line["event"], line["code"], line.get("limit"), line["count"]) for line in lines]
    assert said == [
        ("refused", "overloaded", Limit.CONNECTIONS, 1),
        ("refused", "overloaded", Limit.UPLOADS, 1),
        ("refused", "malformed-http", None, 1),
        ("refused", "overloaded", Limit.CONNECTIONS, 999),
    ]


def test_once_its_time_is_over_the_next_one_is_logged_at_once_again() -> None:
    async def one_after_the_other() -> None:
        refusals = Refusals(Metrics(), log_every_s=0)
        for _ in range(3):
            refusals.add("head-too-slow", None)
            await timers()

    with logged() as lines:
        asyncio.run(one_after_the_other())

    assert [line["count"] for line in lines] == [1, 1, 1]


def test_every_refusal_is_counted_by_its_code_and_its_limit() -> None:
    metrics = Metrics()
    asyncio.run(_three(metrics))

    told = metrics.exposition().decode()
    assert 'pigwav_connections_ended_total{reason="overloaded"} 2.0' in told
    assert 'pigwav_connections_ended_total{reason="malformed-http"} 1.0' in told
    assert 'pigwav_overloaded_total{limit="connections"} 1.0' in told
    assert 'pigwav_overloaded_total{limit="uploads"} 1.0' in told


async def _three(metrics: Metrics) -> None:
    refusals = Refusals(metrics)
    refusals.add("overloaded", Limit.CONNECTIONS)
    refusals.add("overloaded", Limit.UPLOADS)
    refusals.add("malformed-http", None)
