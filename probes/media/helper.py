"""The capture helper as Python knows it: where it is, what it takes. The program is csrc/helper/main.c.

It is the one process with CAP_NET_RAW: it opens an AF_PACKET socket, filters and binds it, hands the descriptor over
its inherited socketpair (SCM_RIGHTS) and exits; the receiver needs no privilege.
"""

from pathlib import Path

PROGRAM = Path(__file__).with_name("capture-helper")
ALL_PORTS = (1, 65535)


def command(fd: int, interface: str, ports: tuple[int, int], program: str = str(PROGRAM)) -> list[str]:
    """How the helper is started; `fd` is its end of the socketpair."""
    return [program, str(fd), interface, str(ports[0]), str(ports[1])]


def port_range(text: str) -> tuple[int, int]:
    """`A-B`, or one port, as two; ValueError otherwise."""
    low, dash, high = text.partition("-")
    high = high if dash else low
    if not low.isdecimal() or not high.isdecimal() or not 0 < int(low) <= int(high) <= ALL_PORTS[1]:
        raise ValueError(f"{text!r} is not a port range: write A-B, such as 10000-19999")
    return int(low), int(high)
