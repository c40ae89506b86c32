"""How test calls share pjsua2 processes: the calls of a dead path must leave room for those of a live one."""

import pytest

from probes.checks.base import Target
from probes.sip.pool import ACCOUNTS, plan

SECOND_US = 1_000_000


def targets(check, count, every_seconds):
    return [
        (
            Target(
                check=check, sbc=f"sbc-{index}", core="core-a", address="sip:127.0.1.1", transport="udp", account="m",
                every_us=every_seconds * SECOND_US, timeout_us=8 * SECOND_US, hold_us=5 * SECOND_US,
            ),
            "127.0.0.1",
        )
        for index in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(("every_seconds", "per_worker"), [(60, 4), (40, 4), (20, 2), (10, 1), (1, 1)])
def test_calls_that_linger_need_places_of_their_own(every_seconds, per_worker):
    assert max(len(each.keys) for each in plan(targets("call", 8, every_seconds))) == per_worker


def test_registrations_fill_a_worker():
    assert [len(each.keys) for each in plan(targets("register", 10, 10))] == [ACCOUNTS, 2]
