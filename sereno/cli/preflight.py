"""`sereno preflight`: what this network does to calls, tested from the customer's premises, with remedies."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from sereno.clock import SystemClock, iso
from sereno.errors import UsageError
from sereno.topology.model import Topology

app = typer.Typer(add_completion=False)

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})")
_EXIT = {"ok": 0, "warning": 0, "failed": 1, "unknown": 3}


@app.command()
def preflight(  # noqa: PLR0917 - the options of the command
    sbc: Annotated[str | None, typer.Option("--sbc", help="The SBC whose service is wanted here.")] = None,
    topology: Annotated[
        Path | None,
        typer.Option("--topology", help="The topology file; else $SERENO_TOPOLOGY, else the running lab's."),
    ] = None,
    responder: Annotated[
        str | None,
        typer.Option("--responder", help="HOST:PORT of a `sereno preflight --respond` outside this network."),
    ] = None,
    calls: Annotated[int, typer.Option("--calls", help="How many calls at once, 1 to 50; 100 kbit/s each way.")] = 10,
    seconds: Annotated[float, typer.Option("--seconds", help="How long they are sent, 1 to 10.")] = 5.0,
    rtp_ports: Annotated[
        str | None, typer.Option("--rtp-ports", help="The SBC's RTP ports, such as 20000-29999; else the topology's.")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of what is said: es or en.")] = "es",
    html: Annotated[Path | None, typer.Option("--html", help="Write a printable page to this file, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    respond: Annotated[
        str | None,
        typer.Option(
            "--respond", help="Be the far side: answer preflights on HOST:PORT (UDP, and PORT+1) until Ctrl-C."
        ),
    ] = None,
) -> None:
    """Is this network fit for voice? DNS, ports, RTP, SIP ALG, NAT, DSCP and room for calls; each with its remedy.

    Needs no root. DSCP, room for calls and parts of ALG and NAT need a responder on a server outside this network; what
    cannot be known is shown as ?. There: `sereno preflight --respond 198.51.100.9:5060`; here:
    `sereno preflight --sbc sbc-1 --responder 198.51.100.9:5060 --html informe.html`.

    Exit status: 0 fit, 1 something fails, 2 wrong use, 3 cannot be told.
    """
    if respond is not None:
        _respond(respond)
        return
    if sbc is None:
        raise UsageError("preflight: give --sbc NAME, or --respond HOST:PORT to be the far side")
    plan = _plan(_topology(topology), sbc, responder, calls, seconds, rtp_ports, lang)
    raise typer.Exit(_run(plan, lang, html, as_json))


def _run(plan: Any, lang: str, html: Path | None, as_json: bool) -> int:
    from probes.preflight import overall, run
    from probes.preflight.words import TITLES, VERDICTS, page, spoken, word

    def progress(name: str) -> None:
        print(f"… {word(TITLES[name], lang)}", file=sys.stderr, flush=True)

    at = iso(SystemClock().now_us())
    lines = asyncio.run(run(plan, progress))
    state = overall(lines)
    if html is not None:
        try:
            html.write_text(page(lines, lang, sbc=plan.sbc.name, at=at), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--html {html}: {error.strerror}; name a file that can be written") from None
    if as_json:
        rows = [spoken(line, lang) for line in lines]
        print(json.dumps({"at": at, "sbc": plan.sbc.name, "state": state, "lines": rows}, ensure_ascii=False))
    else:
        _print(lines, lang)
        print(f"\n{word(VERDICTS[state], lang)}")
    return _EXIT[state]


def _print(lines: list[Any], lang: str) -> None:
    """A line each, the remedy beneath."""
    from probes.preflight.words import TITLES, spoken, word

    title = None
    for line in lines:
        if line.test != title:
            title = line.test
            print(f"\n{word(TITLES[title], lang)}")
        row = spoken(line, lang)
        note = "" if line.tested else f" ({word('not tested', lang)})"
        print(f"  {row['mark']} {row['subject']}  {row['detail']}{note}")
        if row["remedy"] is not None:
            print(f"      → {row['remedy']}")


def _respond(where: str) -> None:
    host, port = _endpoint("--respond", where)
    from probes.preflight import Responder
    from sereno.process import run

    async def serve() -> None:
        responder = Responder(host, port)
        responder.start()
        print(f"preflight responder on {where} and port {responder.port + 1} (UDP); Ctrl-C ends it", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            responder.close()

    run(serve())


def _plan(
    topology: Topology, name: str, responder: str | None, calls: int, seconds: float, rtp_ports: str | None, lang: str
) -> Any:
    from probes.preflight.base import MOST_CALLS, MOST_SECONDS, Plan
    from probes.preflight.words import LANGUAGES
    from sereno.topology.address import parse_ports

    if name not in topology.sbcs:
        raise UsageError(f"there is no SBC {name!r}; there are {', '.join(topology.sbcs)}")
    if not 1 <= calls <= MOST_CALLS:
        raise UsageError(f"--calls {calls}: from 1 to {MOST_CALLS}")
    if not 1 <= seconds <= MOST_SECONDS:
        raise UsageError(f"--seconds {seconds:g}: from 1 to {MOST_SECONDS:g}")
    if lang not in LANGUAGES:
        raise UsageError(f"--lang {lang!r}: there are {', '.join(LANGUAGES)}")
    written = rtp_ports or topology.sbcs[name].rtp_ports
    try:
        ports = None if written is None else parse_ports(written)
    except ValueError as error:
        raise UsageError(f"--rtp-ports: {error}") from None
    return Plan(
        sbc=_sbc(topology, name, ports),
        others=tuple(_sbc(topology, other, None) for other in topology.sbcs if other != name),
        portals=tuple(_portal(key, portal.url) for key, portal in topology.portals.items()),
        resolvers=topology.checks.dns.resolvers if topology.checks.dns is not None else (),
        responder=None if responder is None else _endpoint("--responder", responder),
        calls=calls,
        seconds=seconds,
    )


def _sbc(topology: Topology, name: str, ports: tuple[int, int] | None) -> Any:
    from probes.preflight.base import Sbc
    from probes.sip.tls import TlsSettings
    from probes.sip.uri import parse_uri

    given = topology.sbcs[name]
    addresses = tuple(parse_uri(text) for text in given.addresses)
    tls = None
    if given.tls is not None:
        tls = TlsSettings(
            server_name=given.tls.server_name or addresses[0].host,
            ca=given.tls.ca,
            certificate=given.tls.certificate,
            key=given.tls.key,
            where=f"sbcs.{name}.tls",
        )
    return Sbc(name=name, addresses=addresses, tls=tls, rtp_ports=ports)


def _portal(name: str, url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return name, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _endpoint(option: str, text: str) -> tuple[str, int]:
    found = _ENDPOINT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65535:  # noqa: PLR2004 - the port above it is used, too
        raise UsageError(f"{option} {text!r}: write HOST:PORT, such as 198.51.100.9:5060")
    return found["six"] or found["host"], int(found["port"])


def _topology(file: Path | None) -> Topology:
    from deploy.lab import Lab
    from sereno.topology import load_topology

    named = os.environ.get("SERENO_TOPOLOGY")
    given = file or (Path(named) if named else Path(Lab().topology_path))
    if file is None and not named and not given.is_file():
        raise UsageError(
            "no topology: give --topology FILE, set SERENO_TOPOLOGY, or start the lab with `sereno lab up`"
        )
    return load_topology(given)
