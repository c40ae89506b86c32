"""A call's media at a relay: two faces for each medium, one to the probe and one to the core, and the lanes between."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Literal

from deploy.lab.impair import Direction
from deploy.lab.lane import Kind, Lane, Switch, kind_of
from deploy.lab.sdp import Address, Place

Side = Literal["probe", "core"]
_TOWARD: dict[Side, Direction] = {"core": "rx", "probe": "tx"}  # from there, as seen from the probe
_OTHER: dict[Side, Side] = {"core": "probe", "probe": "core"}
_AT_ONCE = 64


def other(side: Side) -> Side:
    return _OTHER[side]


class Face:
    """An even port and the next one, where one side sends RTP and RTCP to and gets them from."""

    def __init__(self, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.sockets: dict[Kind, socket.socket] = {"rtp": rtp, "rtcp": rtcp}
        self.port = int(rtp.getsockname()[1])


class Ports:
    """Pairs of ports on one address, each taken anew as late as can be."""

    def __init__(self, address: str, first: int, count: int) -> None:
        self.address = address
        self._first, self._count, self._next = first, count, 0

    def face(self) -> Face:
        """A free pair; OSError when there is none."""
        for _ in range(self._count // 2):
            port = self._first + self._next
            self._next = (self._next + 2) % self._count
            bound: list[socket.socket] = []
            try:
                for each in (port, port + 1):
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                    bound.append(sock)
                    sock.bind((self.address, each))
            except OSError as error:
                for sock in bound:
                    sock.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return Face(*bound)
        raise OSError(errno.EADDRINUSE, f"no free pair of ports on {self.address}")


class _Medium:
    """One m= line: where both sides are, our two faces, four lanes."""

    def __init__(self, switch: Switch, call: int, number: int, ports: Ports, heard: Callable[[], None]) -> None:
        self.places: dict[Side, Place] = {"probe": Place(None, None), "core": Place(None, None)}
        self.faces: dict[Side, Face] = {"probe": ports.face(), "core": ports.face()}
        self._address, self._heard = ports.address, heard
        self._lanes: dict[tuple[Side, Kind], Lane] = {}
        loop = asyncio.get_running_loop()
        for side, face in self.faces.items():
            for kind, sock in face.sockets.items():
                self._lanes[side, kind] = Lane(switch, call, number, _TOWARD[side], kind, self._sender(side, kind))
                loop.add_reader(sock, self._readable, sock, side)

    def _readable(self, sock: socket.socket, side: Side) -> None:
        now = asyncio.get_running_loop().time()
        for _ in range(_AT_ONCE):
            try:
                packet = sock.recv(65_535)
            except BlockingIOError:
                return
            self._heard()
            kind = kind_of(packet)  # by what it is, not by the port: RFC 5761 puts both on one
            if self._target(other(side), kind) is not None:
                self._lanes[side, kind].take(packet, now)

    def _target(self, side: Side, kind: Kind) -> Address | None:
        place = self.places[side]
        return place.rtp if kind == "rtp" else place.rtcp

    def _sender(self, side: Side, kind: Kind) -> Callable[[bytes], bool]:
        """What sends on what came from that side; false when it cannot be sent any more."""

        def send(packet: bytes) -> bool:
            away = other(side)
            target, place = self._target(away, kind), self.places[away]
            port: Kind = "rtp" if target == place.rtp else "rtcp"
            if target is None:
                return False
            try:
                self.faces[away].sockets[port].sendto(packet, target)
            except OSError:
                return False
            return True

        return send

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for face in self.faces.values():
            for sock in face.sockets.values():
                loop.remove_reader(sock)
                sock.close()

    def figures(self) -> list[dict[str, Any]]:
        """The truth of every stream, between the addresses that the probe sees."""
        found = []
        for (side, kind), lane in self._lanes.items():
            ours = f"{self._address}:{self.faces['probe'].port + (kind == 'rtcp')}"
            place = self._target("probe", kind)
            theirs = None if place is None else f"{place[0]}:{place[1]}"
            src, dst = (theirs, ours) if side == "probe" else (ours, theirs)
            found += [{"src": src, "dst": dst, **figures} for figures in lane.figures()]
        return found


class Session:
    """One call; it is over some time after it was said to be, for what is still on its way."""

    def __init__(self, call_id: str, number: int, switch: Switch, ports: Ports) -> None:
        self.call_id, self.number = call_id, number
        self.over = False
        self._switch, self._ports = switch, ports
        self._media: list[_Medium] = []
        self.heard_at = asyncio.get_running_loop().time()

    def _heard(self) -> None:
        self.heard_at = asyncio.get_running_loop().time()

    def describe(self, side: Side, places: Sequence[Place]) -> list[int]:
        """Where that side wants its packets; the ports that the other side is to send to instead."""
        while len(self._media) < len(places):
            self._media.append(_Medium(self._switch, self.number, len(self._media), self._ports, self._heard))
        for medium, place in zip(self._media, places, strict=False):
            medium.places[side] = place
        return [medium.faces[other(side)].port for medium in self._media]

    def close(self) -> None:
        """No packet any more; the truth stays."""
        self.over = True
        for medium in self._media:
            medium.close()

    def figures(self) -> list[dict[str, Any]]:
        """The truth of every stream of this call."""
        own = {"call_id": self.call_id, "over": self.over}
        return [{**own, **figures} for medium in self._media for figures in medium.figures()]
