"""A real Kamailio of one test: an SBC over UDP, TCP and TLS, on IPv4 and IPv6, and a core behind it."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from pki import Pki

NET = "127.81.2"
NAME = "sbc.voice.example"
SBC, CORE = f"{NET}.1", f"{NET}.2"

_HEAD = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
{first}
dns=no
rev_dns=no
use_dns_cache=off
auto_aliases=no
tcp_connection_lifetime={lifetime}
server_header="Server: {name}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
{modules}
"""
_SBC_ROUTE = """
request_route {{
	force_rport();
	if (!mf_process_maxfwd_header("10")) {{ send_reply("483", "Too Many Hops"); exit; }}
	loose_route();
	if (is_method("OPTIONS") && uri == myself) {{ {own} }}
	if ($rd == "{core}" || $rd == "voice.example") {{
		$du = "sip:{core}:5060;transport=udp";
		t_relay();
		exit;
	}}
	send_reply("403", "Relaying Denied");
}}
"""
_CORE_ROUTE = """
request_route {{
	force_rport();
	{own}
}}
"""
_OK = 'send_reply("200", "OK"); exit;'
_AUTH = """
	if (!pv_www_authenticate("voice.example", "s3cret-of-9000", "{flags}")) {{
		www_challenge("voice.example", "{flags}");
		exit;
	}}
	send_reply("200", "OK"); exit;
"""


def program() -> str:
    found = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    if found is None or not any(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        if os.environ.get("CI"):
            raise AssertionError("Kamailio with TLS is not installed; run `make setup-test`")
        pytest.skip("Kamailio with TLS is not installed; run `make setup-test`")
    return found


def free_port(host: str = "::1") -> int:
    """A port that is free for UDP and for TCP, and so is the next one."""
    for _ in range(50):
        with socket.socket(socket.AF_INET6) as one:
            one.bind((host, 0))
            port = one.getsockname()[1]
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as next_one:
            next_one.bind((host, port + 1))
            return port
    raise AssertionError("no two ports in a row are free")


def profiles(pki: Pki) -> dict[int, str]:
    """Port by port, what each TLS server of the SBC is like."""
    good = pki.issue("good", f"DNS:{NAME},IP:{SBC},IP:::1")
    usual = f"certificate = {good[0]}\nprivate_key = {good[1]}\n"

    def own(pair: tuple[Path, Path]) -> str:
        return f"certificate = {pair[0]}\nprivate_key = {pair[1]}\nmethod = TLSv1.2+\n"

    return {
        5061: usual + "method = TLSv1.2+\n",
        5062: own(pki.issue("expired", f"DNS:{NAME}", ended=True)),
        5063: own(pki.self_signed("alone", f"DNS:{NAME}")),
        5064: own(pki.issue("wrong", "DNS:other.example")),
        5065: usual + "method = TLSv1.2\n",
        5066: usual + f"method = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nca_list = {pki.ca}\n",
    }


@contextlib.contextmanager
def running(folder: Path, config: str, address: str, name: str):
    """Kamailio with this configuration until the block ends; ready when it answers over UDP."""
    path = folder / f"{name}.cfg"
    path.write_text(config)
    home = folder / name
    home.mkdir(exist_ok=True)
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [program(), "-f", str(path), "-DD", "-E", "-m", "64", "-M", "8", "-Y", str(home), "-w", str(home)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _ready(address, process, folder / f"{name}.log")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _ready(address: str, process: subprocess.Popen, log: Path) -> None:
    ping = (
        f"OPTIONS sip:{address}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK{{}}\r\n"
        f"From: <sip:t@t>;tag=1\r\nTo: <sip:t@t>\r\nCall-ID: {{}}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert process.poll() is None, log.read_text()[-2000:]
            stamp = time.monotonic_ns()
            try:
                sock.sendto(ping.format(stamp, stamp).encode(), (address, 5060))
                sock.recv(4096)
            except OSError:
                time.sleep(0.02)
                continue
            return
    raise AssertionError(log.read_text()[-2000:])


def core_config(auth: str | None = None) -> str:
    """A core that says 200; with `auth` (an algorithm) only to those who know the password."""
    modules = "" if auth is None else f'loadmodule "auth.so"\nmodparam("auth", "algorithm", "{auth}")'
    head = _HEAD.format(name="core-a", lifetime=60, modules=modules, first="disable_tcp=yes")
    own = _OK if auth is None else _AUTH.format(flags=0)
    return head + f"listen=udp:{CORE}:5060\n" + _CORE_ROUTE.format(own=own)


def sbc_config(folder: Path, tls: dict[int, str], six: int, lifetime: int = 3) -> str:
    sections = "".join(f"[server:{SBC}:{port}]\n{text}" for port, text in tls.items())
    default = tls[5061]
    (folder / "tls.cfg").write_text(f"[server:default]\n{default}[client:default]\nverify_certificate = no\n{sections}")
    modules = f'loadmodule "tls.so"\nmodparam("tls", "config", "{folder}/tls.cfg")'
    listens = [f"udp:{SBC}:5060", f"tcp:{SBC}:5060", *(f"tls:{SBC}:{port}" for port in tls)]
    listens += [f"udp:[::1]:{six}", f"tcp:[::1]:{six}", f"tls:[::1]:{six + 1}", f"udp:{NET}.9:5060"]
    lines = "".join(f"listen={one}\n" for one in listens)
    return (
        _HEAD.format(name="sbc-1", lifetime=lifetime, modules=modules, first="enable_tls=yes")
        + lines
        + _SBC_ROUTE.format(core=CORE, own=_OK)
    )
