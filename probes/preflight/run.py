"""All tests of a preflight, one after the other: what one sends must not disturb what another measures."""

from collections.abc import Awaitable, Callable

from probes.preflight.alg import alg
from probes.preflight.base import Line, Plan
from probes.preflight.marks import marks
from probes.preflight.names import names
from probes.preflight.nat import nat
from probes.preflight.ports import destinations, ports
from probes.preflight.room import room
from probes.preflight.rtp_range import rtp_range

TESTS: dict[str, Callable[[Plan], Awaitable[list[Line]]]] = {
    "dns": names,
    "ports": ports,
    "rtp": rtp_range,
    "destinations": destinations,
    "alg": alg,
    "nat": nat,
    "dscp": marks,
    "room": room,
}


async def run(plan: Plan, progress: Callable[[str], None] = lambda name: None) -> list[Line]:  # noqa: ARG005
    """Every line; `progress` hears the name of each test as it begins."""
    lines: list[Line] = []
    for name, test in TESTS.items():
        progress(name)
        lines += await test(plan)
    return lines
