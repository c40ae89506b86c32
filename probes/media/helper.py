"""The capture helper: the one process with CAP_NET_RAW.

It opens an AF_PACKET socket, filters and binds it, hands the descriptor over its inherited socketpair (SCM_RIGHTS) and
exits; the receiver needs no privilege. So nothing but the standard library is imported here.
"""

import argparse
import ctypes
import socket
import struct
import sys

SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
ETH_P_ALL = 0x0003
SNAPLEN = 192  # IPv4 with options, UDP, RTP with 15 contributing sources: 140; no audio is needed
MAX_PORT = 65535

# Classic BPF, from linux/filter.h and linux/bpf_common.h
_LD_B_ABS, _LD_H_ABS, _LD_H_IND, _LDX_MSH = 0x30, 0x28, 0x48, 0xB1
_JEQ, _JGE, _JGT, _JSET, _AND, _RET = 0x15, 0x35, 0x25, 0x45, 0x54, 0x06
_UDP, _FRAGMENT = 17, 0x1FFF


def port_filter(low: int, high: int) -> bytes:
    """A cBPF program: UDP, source or destination port in [low, high]; offsets count from the network header."""
    # Jumps are written as the label they go to and resolved below.
    program: list[tuple[int, int, str | None, str | None, str | None]] = [
        (_LD_B_ABS, 0, None, None, None),
        (_AND, 0xF0, None, None, None),
        (_JEQ, 0x60, "v6", None, None),
        (_JEQ, 0x40, None, "drop", None),
        (_LD_B_ABS, 9, None, None, None),
        (_JEQ, _UDP, None, "drop", None),
        (_LD_H_ABS, 6, None, None, None),
        (_JSET, _FRAGMENT, "drop", None, None),
        (_LDX_MSH, 0, None, None, None),
        (_LD_H_IND, 0, None, None, None),
        (_JGE, low, None, "v4dst", None),
        (_JGT, high, None, "keep", None),
        (_LD_H_IND, 2, None, None, "v4dst"),
        (_JGE, low, None, "drop", None),
        (_JGT, high, "drop", "keep", None),
        (_LD_B_ABS, 6, None, None, "v6"),
        (_JEQ, _UDP, None, "drop", None),
        (_LD_H_ABS, 40, None, None, None),
        (_JGE, low, None, "v6dst", None),
        (_JGT, high, None, "keep", None),
        (_LD_H_ABS, 42, None, None, "v6dst"),
        (_JGE, low, None, "drop", None),
        (_JGT, high, "drop", "keep", None),
        (_RET, SNAPLEN, None, None, "keep"),
        (_RET, 0, None, None, "drop"),
    ]
    labels = {label: index for index, (*_, label) in enumerate(program) if label}

    def jump(index: int, to: str | None) -> int:
        return labels[to] - index - 1 if to else 0

    return b"".join(
        struct.pack("=HBBI", code, jump(index, yes), jump(index, no), operand)
        for index, (code, operand, yes, no, _) in enumerate(program)
    )


def open_socket(interface: str, low: int, high: int) -> socket.socket:
    """A bound, filtered packet socket; OSError when it cannot be had."""
    index = socket.if_nametoindex(interface)
    # Protocol 0: nothing arrives before the filter is on.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
    try:
        code = port_filter(low, high)
        buffer = ctypes.create_string_buffer(code, len(code))
        sock.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
        )
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if _is_loopback(index):
            # Loopback hands every packet out and in again; one of the two is enough.
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        sock.bind((interface, ETH_P_ALL))
    except BaseException:
        sock.close()
        raise
    return sock


def _is_loopback(index: int) -> bool:
    return socket.if_indextoname(index) == "lo"


def hand_over(channel: socket.socket, interface: str, low: int, high: int) -> int:
    """Send the packet socket, or one line that says why not, over `channel`; the exit status."""
    try:
        sock = open_socket(interface, low, high)
    except PermissionError:
        channel.send(b"capturing needs CAP_NET_RAW: run the probe as root, or give the helper this capability")
        return 2
    except OSError as error:
        channel.send(f"interface {interface!r}: {error.strerror or error}".encode())
        return 2
    with sock:
        socket.send_fds(channel, [b"+"], [sock.fileno()])
    return 0


def ports(text: str) -> tuple[int, int]:
    """`A-B` as two ports; ValueError otherwise."""
    low, dash, high = text.partition("-")
    if not dash or not low.isdecimal() or not high.isdecimal() or not 0 < int(low) <= int(high) <= MAX_PORT:
        raise ValueError(f"{text!r} is not a port range: write A-B, such as 10000-19999")
    return int(low), int(high)


def main(arguments: list[str] | None = None) -> int:
    """`python -m probes.media.helper --fd N --interface lo --ports A-B`."""
    parser = argparse.ArgumentParser(prog="capture-helper")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--interface", default="lo")
    parser.add_argument("--ports", type=ports, required=True)
    options = parser.parse_args(arguments)
    with socket.socket(fileno=options.fd) as channel:
        return hand_over(channel, options.interface, *options.ports)


if __name__ == "__main__":
    sys.exit(main())
