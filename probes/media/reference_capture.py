"""Captures for the plain Python meter."""

import struct
from dataclasses import replace

from probes.media.errors import CaptureError
from probes.media.reference import Packet, ReferenceMeter
from probes.media.sdp import announce_sdp


def feed_pcap(meter: ReferenceMeter, data: bytes) -> bool:
    """Meter a classic pcap; True if it ends inside a record. CaptureError when it is none."""
    magics = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
    order = next((o for o in "<>" if len(data) >= 24 and struct.unpack_from(o + "I", data)[0] in magics), None)
    if order is None:
        raise CaptureError("not a pcap file: give a classic pcap capture")
    unit = magics[struct.unpack_from(order + "I", data)[0]]
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at < len(data):
        if len(data) - at < 16:
            return True
        seconds, fraction, captured, _ = struct.unpack_from(order + "IIII", data, at)
        if captured > 1 << 20:
            return True
        if captured > len(data) - at - 16:
            return True
        packet = datagram(link_type, data[at + 16 : at + 16 + captured], seconds * 1_000_000_000 + fraction * unit)
        at += 16 + captured
        if packet is None:
            continue
        if packet.payload.startswith((b"SIP/2.0 ", b"INVITE ", b"ACK ", b"UPDATE ", b"PRACK ")):
            announce_sdp(meter, packet.payload)
        else:
            meter.packet(packet)
    return False


def datagram(link_type: int, frame: bytes, time_ns: int) -> Packet | None:
    """The UDP datagram in a frame; None if there is none, or it is a later fragment, or the frame is too short."""
    if link_type == 1:
        at = 12
        while frame[at : at + 2] in {b"\x81\x00", b"\x88\xa8", b"\x91\x00"}:
            at += 4
        if frame[at : at + 2] not in {b"\x08\x00", b"\x86\xdd"}:
            return None
        ip = frame[at + 2 :]
    elif link_type in {0, 108}:
        ip = frame[4:]
    else:
        raise CaptureError(f"link type {link_type} is not read")
    version = ip[0] >> 4 if ip else 0
    if version == 4:
        return _ipv4(ip, time_ns)
    return _ipv6(ip, time_ns) if version == 6 else None


def _ipv4(ip: bytes, time_ns: int) -> Packet | None:
    header = (ip[0] & 0x0F) * 4
    if len(ip) < max(header, 20) or header < 20 or ip[9] != 17 or int.from_bytes(ip[6:8]) & 0x1FFF:
        return None
    total = int.from_bytes(ip[2:4]) or len(ip)
    mapped = bytes(10) + b"\xff\xff"
    packet = _udp(ip[header:total], total - header, mapped + ip[12:16], mapped + ip[16:20], time_ns)
    return packet and replace(packet, dscp=ip[1] >> 2)


def _ipv6(ip: bytes, time_ns: int) -> Packet | None:
    if len(ip) < 40 or ip[6] != 17:
        return None
    length = int.from_bytes(ip[4:6])
    packet = _udp(ip[40 : 40 + length], length, ip[8:24], ip[24:40], time_ns)
    return packet and replace(packet, dscp=(int.from_bytes(ip[:2]) >> 4 & 0xFF) >> 2)


def _udp(data: bytes, room: int, src: bytes, dst: bytes, time_ns: int) -> Packet | None:
    if len(data) < 8:
        return None
    src_port, dst_port, length = struct.unpack_from("!HHH", data)
    if length < 8:
        return None
    payload = data[8:length]
    return Packet(time_ns, src, src_port, dst, dst_port, payload, length - 8 if length <= room else len(payload))
