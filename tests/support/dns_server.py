"""A real authoritative DNS server (dnsmasq) for the zone `voice.example`, with records that may change."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

HOST = "127.81.53.1"


class DnsServer:
    """`addresses` maps host names to their A and AAAA; `records` are dnsmasq's own options (SRV, NAPTR)."""

    def __init__(self, folder: Path, addresses: dict[str, list[str]], records: list[str], *, ttl: int, port: int):
        self.program = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")
        if self.program is None:
            pytest.skip("dnsmasq is not installed; run `make setup-test`")
        self.port, self._hosts, self._config = port, folder / "hosts", folder / "dnsmasq.conf"
        self.hold(addresses)
        self._config.write_text(
            f"port={port}\nlisten-address={HOST}\nbind-interfaces\nno-resolv\nno-hosts\nno-poll\nkeep-in-foreground\n"
            f"addn-hosts={self._hosts}\nlocal=/example/\nlocal-ttl={ttl}\nlog-facility=-\nuser=\npid-file=\n"
            + "".join(f"{record}\n" for record in records)
        )
        self.process: subprocess.Popen[bytes] | None = None

    def hold(self, addresses: dict[str, list[str]]) -> None:
        """These addresses from now on (from the next `reload`)."""
        lines = [f"{address} {name}" for name, found in addresses.items() for address in found]
        self._hosts.write_text("\n".join([*lines, ""]))

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, f"--conf-file={self._config}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read().decode())
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 0.2):
                return
            time.sleep(0.01)
        raise AssertionError("dnsmasq does not listen")

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@contextlib.contextmanager
def dns_server(folder: Path, addresses, records=(), *, ttl: int = 60, port: int | None = None):
    """The server, running."""
    if port is None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((HOST, 0))
            port = sock.getsockname()[1]
    elif port < 1024:
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            try:
                sock.bind((HOST, port))
            except PermissionError:
                pytest.skip(f"port {port} needs root here")
    server = DnsServer(folder, addresses, list(records), ttl=ttl, port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
