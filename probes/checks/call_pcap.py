"""`checks.call.pcap`: the packets of a failed or poor call, in a file that its evidence names."""

import asyncio
import re
from typing import Any

from probes.checks.base import Runtime, Target
from probes.media.call_pcap import PacketRing, write
from probes.media.errors import CaptureUnavailable
from probes.media.live import packet_socket
from probes.sip.ipc import Called
from probes.sip.pool import CallPool
from sereno.topology.model import Pcap

_RINGS = "pcap"  # in `runtime.extras`: interface → ring, or why there is none
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def wanted(runtime: Runtime) -> Pcap | None:
    """The setting, where it is on."""
    return runtime.topology.checks.call.pcap if runtime.topology.checks.call is not None else None


async def listen(runtime: Runtime, pool: CallPool, target: Target) -> None:
    """From the first call on, keep the last packets of our ports; costs nothing where the setting is off."""
    setting, meter = wanted(runtime), pool.meter(target)
    if setting is None or meter is None:
        return
    rings: dict[str, PacketRing | str] = runtime.extras.setdefault(_RINGS, {})
    if meter.interface in rings:
        return
    rings[meter.interface] = "it is being opened"
    try:
        descriptor = await asyncio.to_thread(packet_socket, meter)
    except CaptureUnavailable as error:
        rings[meter.interface] = str(error)
        return
    ring = PacketRing(
        descriptor, meter.ports, most=setting.packets, payload=setting.payload, loopback=meter.interface == "lo"
    )
    rings[meter.interface] = ring

    def close() -> None:
        ring.close()
        rings.pop(meter.interface, None)

    pool.closers.append(close)


async def kept(
    runtime: Runtime, pool: CallPool, target: Target, seen: Called, started_us: int, *, bad: bool
) -> dict[str, Any] | None:
    """Evidence: the file of a bad call, or why there is none; the packets of a good one are forgotten."""
    setting, meter = wanted(runtime), pool.meter(target)
    if setting is None or seen.local is None:
        return None
    ring = runtime.extras.get(_RINGS, {}).get(meter.interface) if meter is not None else None
    if not isinstance(ring, PacketRing):
        return {"error": ring or "this probe may not capture"} if bad else None
    address, _, port = seen.local.rpartition(":")
    packets, let_go = ring.take(int(port), started_us * 1000, address if address != "0.0.0.0" else None)  # noqa: S104
    if not bad:
        return None
    name = _UNSAFE.sub("_", f"{target.sbc}-{target.core}")
    try:
        written = await asyncio.to_thread(
            write, packets, setting.folder, name, max_bytes=setting.max_bytes, keep=setting.keep, left_out=let_go
        )
    except OSError as error:
        return {"error": f"{setting.folder}: {error.strerror or error}"}
    return {"path": written.path, "packets": written.packets, "left_out": written.left_out}
