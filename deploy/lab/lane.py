"""One direction of a medium through a media relay: each packet meets its fate here, which is written down."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from deploy.lab.impair import UNTOUCHED, Dice, Direction, Fate, Impairment
from deploy.lab.truth import Truth, rtp_header

Kind = Literal["rtp", "rtcp"]
Send = Callable[[bytes], bool]
_STREAMS = 64  # of one lane; whatever follows is counted together
_PATIENCE_SECONDS = 0.2  # for the packet that is to pass one held back
_RTCP_SHORTEST, _RTCP_TYPES = 8, range(192, 224)


def kind_of(packet: bytes) -> Kind:
    """RTCP or anything else (RFC 5761 section 4)."""
    rtcp = len(packet) >= _RTCP_SHORTEST and packet[0] & 0xC0 == 0x80 and packet[1] in _RTCP_TYPES  # noqa: PLR2004
    return "rtcp" if rtcp else "rtp"


@dataclass
class Switch:
    """What is broken at a relay now; lanes look at every packet. Calls are numbered as an impairment meets them."""

    impairment: Impairment | None = None
    oneway: frozenset[Direction] = frozenset()
    turn: int = 0
    """How often another impairment was switched on: dice are of one turn."""
    _met: dict[int, int] = field(default_factory=dict)

    def set(self, impairment: Impairment | None, oneway: frozenset[Direction]) -> None:
        self.oneway = oneway
        if impairment != self.impairment:
            self.impairment, self.turn, self._met = impairment, self.turn + 1, {}

    def call_number(self, call: int) -> int:
        """Of a call that meets this impairment: 0 the first."""
        return self._met.setdefault(call, len(self._met))


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A packet on its way through."""

    packet: bytes
    truth: Truth
    number: int
    came: float
    fate: Fate

    @property
    def kept(self) -> bool:
        return self.fate.delay_us > 0 or self.fate.held


class Lane:
    """RTP or RTCP of one medium in one direction."""

    def __init__(self, switch: Switch, call: int, medium: int, direction: Direction, kind: Kind, send: Send) -> None:
        self.direction, self.kind = direction, kind
        self._switch, self._call, self._medium, self._send = switch, call, medium, send
        self._dice: tuple[int, Dice] | None = None
        self._held: list[_Parcel] = []
        self._truths: dict[tuple[int, int] | None, Truth] = {}

    def take(self, packet: bytes, now: float) -> None:
        """A packet came."""
        truth, number = self._book(packet)
        fate = self._fate()
        if fate.lost:
            truth.lost(number)
            return
        parcel = _Parcel(packet, truth, number, now, fate)
        loop = asyncio.get_running_loop()
        if fate.held:
            self._held.append(parcel)
            loop.call_later(_PATIENCE_SECONDS, self._tired, parcel)
            return
        parcels, self._held = [parcel, *self._held], []
        if fate.delay_us:
            loop.call_later(fate.delay_us / 1e6, self._go, parcels)
        else:
            self._go(parcels)

    def _fate(self) -> Fate:
        switch = self._switch
        if self.kind == "rtp" and self.direction in switch.oneway:
            return Fate(lost=True, delay_us=0, duplicated=False, held=False)
        suffered = switch.impairment
        if suffered is None or not suffered.meets(self.direction):
            return UNTOUCHED
        if self._dice is None or self._dice[0] != switch.turn:
            flow = f"{switch.call_number(self._call)}/{self._medium}/{self.direction}/{self.kind}"
            self._dice = switch.turn, Dice(suffered, flow)
        return self._dice[1].next()

    def _book(self, packet: bytes) -> tuple[Truth, int]:
        """Where this packet is written down, and under what number."""
        header = rtp_header(packet) if self.kind == "rtp" else None
        key = None if header is None else header[:2]
        if key not in self._truths and len(self._truths) >= _STREAMS:
            header = key = None
        truth = self._truths.setdefault(key, Truth())
        return truth, truth.came(truth.packets_in & 0xFFFF if header is None else header[2])

    def _go(self, parcels: list[_Parcel]) -> None:
        now = asyncio.get_running_loop().time()
        for parcel in parcels:
            if not self._send(parcel.packet):
                parcel.truth.lost(parcel.number)
                continue
            parcel.truth.left(parcel.number, round((now - parcel.came) * 1e6) if parcel.kept else None)
            if parcel.fate.duplicated and self._send(parcel.packet):
                parcel.truth.left(parcel.number, None, again=True)

    def _tired(self, parcel: _Parcel) -> None:
        """Nothing has passed it: it goes all the same."""
        if parcel in self._held:
            self._held.remove(parcel)
            self._go([parcel])

    def figures(self) -> list[dict[str, Any]]:
        """The truth of every stream."""
        return [
            {
                "direction": self.direction,
                "kind": self.kind,
                "ssrc": None if key is None else f"0x{key[0]:08x}",
                "payload_type": None if key is None else key[1],
                **truth.figures(),
            }
            for key, truth in self._truths.items()
        ]
