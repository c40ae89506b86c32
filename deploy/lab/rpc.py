"""Talking to one Kamailio over its JSON-RPC datagram socket."""

import itertools
import json
import os
import socket
from pathlib import Path
from typing import Any

from sereno.errors import SerenoError

_TIMEOUT_SECONDS = 1.0
_ids = itertools.count(1)


class RpcError(SerenoError):
    """A Kamailio that does not answer, or refuses a command."""


def call(where: Path, method: str, params: list[str | int], timeout_seconds: float = _TIMEOUT_SECONDS) -> Any:
    """The result of one command; RpcError when there is none."""
    number = next(_ids)
    own = where.with_name(f"{where.name}.{os.getpid()}.{number}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_seconds)
        sock.bind(str(own))
        try:
            question = {"jsonrpc": "2.0", "method": method, "params": params, "id": number}
            sock.sendto(json.dumps(question).encode(), str(where))
            answer = json.loads(sock.recv(65_535))
        except (OSError, ValueError) as error:
            raise RpcError(f"{where}: no answer to {method} ({error})") from error
        finally:
            own.unlink(missing_ok=True)
    if "error" in answer:
        raise RpcError(f"{where}: {method} {params} refused: {answer['error'].get('message')}")
    return answer.get("result")


def active_destinations(where: Path) -> set[str]:
    """The addresses (`127.0.2.1`) that a Kamailio's dispatcher now takes for alive."""
    found = set[str]()
    for record in call(where, "dispatcher.list", []).get("RECORDS", []):
        for target in record["SET"]["TARGETS"]:
            if target["DEST"]["FLAGS"].startswith("A"):
                found.add(target["DEST"]["URI"].removeprefix("sip:").partition(":")[0])
    return found
