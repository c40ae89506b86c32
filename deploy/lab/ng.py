"""The ng protocol between a Kamailio and its media relay: a cookie, a space and one bencoded dictionary. Pure."""

from typing import cast

Value = bytes | int | list["Value"] | dict[bytes, "Value"]
Command = dict[bytes, Value]


PONG = b"d6:result4:ponge"


class NgError(ValueError):
    """What came is no ng message."""


def split(datagram: bytes) -> tuple[bytes, Command]:
    """Cookie and dictionary; NgError otherwise."""
    cookie, space, rest = datagram.partition(b" ")
    if not cookie or not space:
        raise NgError("no cookie")
    try:
        value, end = _value(rest, 0)
    except (IndexError, ValueError, RecursionError) as error:
        raise NgError(f"not bencoded: {error}") from None
    if end != len(rest) or not isinstance(value, dict):
        raise NgError("not one dictionary")
    return cookie, value


def join(cookie: bytes, command: Command) -> bytes:
    return cookie + b" " + _encoded(command)


def text(command: Command, key: bytes) -> bytes:
    """The string under `key`; empty when there is none."""
    value = command.get(key, b"")
    return value if isinstance(value, bytes) else b""


def _encoded(value: Value) -> bytes:
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(map(_encoded, value)) + b"e"
    return b"d" + b"".join(_encoded(key) + _encoded(one) for key, one in value.items()) + b"e"


def _value(data: bytes, at: int) -> tuple[Value, int]:
    """The value that begins there, and where it ends."""
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in {b"l", b"d"}:
        items: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _value(data, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        if len(items) % 2 or not all(isinstance(key, bytes) for key in items[::2]):
            raise ValueError("a dictionary's keys are strings")
        return dict(zip(cast("list[bytes]", items[::2]), items[1::2], strict=True)), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if not colon < end <= len(data):
        raise ValueError("a string longer than what is there")
    return data[colon + 1 : end], end
