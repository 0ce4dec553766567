"""One short run of port_collisions.py."""

import pytest

from faults.port_collisions import Tally, one_round
from ports import PORTS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("embedded"), pytest.mark.timeout(900)]


def test_stacks_that_are_started_at_once_with_few_ports_all_start():
    tally = Tally()
    for _ in range(2):
        one_round(4, PORTS[:60], tally)
    assert tally.failures == []
    assert tally.stacks == 8
