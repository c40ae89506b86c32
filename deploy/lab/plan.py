"""Where everything of a lab stands: addresses and ports of one loopback net. Pure."""

import re
import signal
from dataclasses import dataclass
from typing import Literal

from sereno.errors import UsageError

DEFAULT_NET = "127.0"
SIP_PORT = 5060
LET_GO = signal.SIGUSR1  # to a far end: everything was healed; a call that is still silent in a moment has no caller
FAR_END_PORTS = (5070, 5071)  # pjsua2 holds four calls per process, so two processes make eight calls per core
CALLS_PER_FAR_END = 4
RTP_BASE, RTP_BLOCK = 42_000, 40  # a call takes an even RTP port and the RTCP port above it
NG_PORT = 2223  # where an SBC's Kamailio asks for its media relay, by the ng protocol
RTPENGINE_NG_PORT = 2224  # where that relay asks rtpengine, on the SBC that has one
RELAY_PORTS = (14_000, 2_000)  # first and how many, on the SBC's own address; a call takes four of them
RTPENGINE_PORTS = (16_000, 2_000)
DOMAIN = "voice.lab.sereno"
# Accounts of the topology, and the user each one is; the last two answer calls that come back, and register for them.
USERS = {"monitor-1": "9000", "monitor-2": "9001", "answer-1": "9002", "answer-2": "9003"}
NUMBERS = {"+50640001001": "9003"}  # that the lab's PSTN leads to a user of ours
_NET = re.compile(r"127\.(0|[1-9][0-9]{0,2})")

Kind = Literal["sbc", "core"]


@dataclass(frozen=True, slots=True)
class Component:
    """A machine of the lab: one Kamailio and, sharing its fate, a core's far ends or an SBC's media relay."""

    name: str
    kind: Kind
    address: str
    primary: str | None = None
    """The core that an SBC prefers."""
    rtpengine: bool = False
    """Whether an rtpengine relays the media of this SBC, behind the relay that every SBC has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A lab on one net: 127.N.1.x are SBCs, 127.N.2.x are cores."""

    net: str
    components: tuple[Component, ...]

    def component(self, name: str) -> Component:
        return next(one for one in self.components if one.name == name)

    @property
    def sbcs(self) -> tuple[Component, ...]:
        return tuple(one for one in self.components if one.kind == "sbc")

    @property
    def cores(self) -> tuple[Component, ...]:
        return tuple(one for one in self.components if one.kind == "core")

    @property
    def flag(self) -> str:
        """What to add to a command for this lab: nothing for the default net."""
        return "" if self.net == DEFAULT_NET else f" --net {self.net}"

    def sockets(self) -> tuple[tuple[str, int], ...]:
        """Every UDP socket that the lab listens on for SIP or for commands."""
        found = [(one.address, SIP_PORT) for one in self.components]
        found += [(core.address, port) for core in self.cores for port in FAR_END_PORTS]
        found += [(sbc.address, NG_PORT) for sbc in self.sbcs]
        found += [(sbc.address, RTPENGINE_NG_PORT) for sbc in self.sbcs if sbc.rtpengine]
        return tuple(found)


def plan(net: str) -> Plan:
    """The plan of `127.N`; UsageError when it is no such net."""
    matched = _NET.fullmatch(net)
    if matched is None or int(matched.group(1)) > 255:  # noqa: PLR2004
        raise UsageError(f"--net: {net!r} is not a loopback net; write 127.N with N from 0 to 255, such as 127.5")
    return Plan(
        net=net,
        components=(
            Component("core-a", "core", f"{net}.2.1"),
            Component("core-b", "core", f"{net}.2.2"),
            Component("sbc-1", "sbc", f"{net}.1.1", primary="core-a", rtpengine=True),
            Component("sbc-2", "sbc", f"{net}.1.2", primary="core-b"),
        ),
    )
