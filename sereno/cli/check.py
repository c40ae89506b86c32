"""`sereno check`: make checks now, once, and print their results as they come."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer

from sereno.clock import SystemClock, parse_duration
from sereno.errors import UsageError
from sereno.topology.model import Topology
from sereno.wire import Result, encode

app = typer.Typer(no_args_is_help=True, add_completion=False)
PROBE = "sereno-check"
LATE_SECONDS = 2.0  # past its deadline, for which a check made by hand waits: slow is not dead (docs/adr/0004)
SCAN_SECONDS = 3.0  # for the versions and suites of a TLS listener; what is not known by then is not told
_SECTIONS = {  # where the topology has what a check needs
    "terminating": "`terminating:` under `checks:`",
    "pstn": "`pstn:` under `checks:`",
    "https": "`portals:`",
    "dns": "portals, SBCs or the domain by name",
    "database": "`databases:`",
    "tcp": "`members:` of a core",
    "traffic": "`traffic:`",
}

Sbc = Annotated[str | None, typer.Option("--sbc", help="Only through this SBC.")]
Core = Annotated[str | None, typer.Option("--core", help="Only to this core.")]
File = Annotated[
    Path | None, typer.Option("--topology", help="The topology file; else $SERENO_TOPOLOGY, else the running lab's.")
]
Name = Annotated[
    str | None, typer.Option("--target", help="Only this one, by its name in the topology.", show_default=False)
]
Timeout = Annotated[str | None, typer.Option("--timeout", help="Deadline of the check, such as 900ms.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line, as on the wire.")]


@app.command()
def edge(sbc: Sbc = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Is the SBC itself there? OPTIONS that only the SBC can answer."""
    _check("edge", sbc, None, topology, timeout, as_json)


@app.command()
def options(
    sbc: Sbc = None, core: Core = None, topology: File = None, timeout: Timeout = None, as_json: Json = False
) -> None:
    """Is the path there? OPTIONS forced through the SBC to the core."""
    _check("options", sbc, core, topology, timeout, as_json)


@app.command()
def natural(sbc: Sbc = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """What a phone sees: OPTIONS for the service's domain, failover included."""
    _check("natural", sbc, None, topology, timeout, as_json)


@app.command()
def register(
    sbc: Sbc = None, core: Core = None, topology: File = None, timeout: Timeout = None, as_json: Json = False
) -> None:
    """Register the test accounts, forced through the SBC to the core."""
    _check("register", sbc, core, topology, timeout, as_json)


@app.command()
def call(
    sbc: Sbc = None, core: Core = None, topology: File = None, timeout: Timeout = None, as_json: Json = False
) -> None:
    """Make a test call with two-way media, forced through the SBC to the core."""
    _check("call", sbc, core, topology, timeout, as_json)


@app.command()
def terminating(
    sbc: Sbc = None, core: Core = None, topology: File = None, timeout: Timeout = None, as_json: Json = False
) -> None:
    """Is location replicated? A call to an account of ours that is registered at the other core."""
    _check("terminating", sbc, core, topology, timeout, as_json)


@app.command()
def pstn(target: Name = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Call out to the PSTN and in again; only the numbers and as often as the topology allows."""
    _check("pstn", None, None, topology, timeout, as_json, target)


@app.command()
def https(target: Name = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Every server behind a portal's name: HTTP status, certificate, standing of its TLS."""
    _check("https", None, None, topology, timeout, as_json, target)


@app.command()
def dns(target: Name = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Where the file's names lead, asked of every resolver."""
    _check("dns", None, None, topology, timeout, as_json, target)


@app.command()
def database(target: Name = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Role, replication lag and last backup of a database."""
    _check("database", None, None, topology, timeout, as_json, target)


@app.command()
def tcp(
    target: Name = None, core: Core = None, topology: File = None, timeout: Timeout = None, as_json: Json = False
) -> None:
    """The servers inside the cores."""
    _check("tcp", None, core, topology, timeout, as_json, target)


@app.command()
def traffic(sbc: Sbc = None, topology: File = None, timeout: Timeout = None, as_json: Json = False) -> None:
    """Registered users and live calls of an SBC, from the platform's own Prometheus."""
    _check("traffic", sbc, None, topology, timeout, as_json)


def _check(
    kind: str,
    sbc: str | None,
    core: str | None,
    file: Path | None,
    timeout: str | None,
    as_json: bool,
    name: str | None = None,
) -> None:
    topology = _topology(file)
    targets = _targets(kind, topology, sbc, core, timeout, name)
    _say_what_is_left_out(topology, sbc)
    try:
        outcomes = asyncio.run(_run(topology, targets, as_json))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    raise typer.Exit(1 if "failed" in outcomes else 3 if "invalid" in outcomes else 0)


def _topology(file: Path | None) -> Topology:
    from sereno.topology import load_topology

    given = file or (Path(os.environ["SERENO_TOPOLOGY"]) if os.environ.get("SERENO_TOPOLOGY") else _lab_topology())
    return load_topology(given)


def _lab_topology() -> Path:
    from deploy.lab import Lab

    path = Path(Lab().topology_path)
    if not path.is_file():
        raise UsageError(
            "no topology: give --topology FILE, set SERENO_TOPOLOGY, or start the lab with `sereno lab up`"
        )
    return path


def _targets(
    kind: str, topology: Topology, sbc: str | None, core: str | None, timeout: str | None, name: str | None = None
) -> list[Any]:
    """The targets that the flags name; UsageError says what there is when they name nothing."""
    from probes.checks import targets

    _known("SBC", sbc, topology.sbcs)
    _known("core", core, topology.cores)
    if kind == "natural" and topology.domain is None:
        raise UsageError("natural: the topology has no `domain` to ask for; write one, such as domain: voice.example")
    if kind == "register" and not topology.accounts:
        raise UsageError("register: the topology has no accounts; write them under `accounts:`")
    if kind == "call" and topology.checks.call is None:
        raise UsageError("call: the topology does not say whom to call; write `call:` under `checks:`")
    found = [t for t in targets(topology, PROBE, (kind,)) if sbc in {None, t.sbc} and core in {None, t.core}]
    if kind in _SECTIONS:
        if not found:
            raise UsageError(f"{kind}: nothing to measure; write {_SECTIONS[kind]} in the topology")
        _known("target", name, {t.name: t for t in found if t.name is not None})
        found = [t for t in found if name in {None, t.name}]
    if not found:
        from probes.checks.base import BY_WORKERS
        from probes.checks.expand_calls import first_address

        where = f"{sbc or 'any SBC'}/{core or 'any core'}"
        if kind in BY_WORKERS and not any(first_address(topology, one) for one in ([sbc] if sbc else topology.sbcs)):
            raise UsageError(
                f"{kind}: is made over UDP and IPv4, and {sbc or 'no SBC'} has {'no' if sbc else 'an'} address for it; "
                "write one such as sip:198.51.100.11:5060"
            )
        raise UsageError(
            f"{kind}: nothing to measure for {where}; there are the paths "
            f"{', '.join(path.name for path in topology.paths() if not path.passive) or 'none'}"
        )
    if timeout is not None:
        found = [msgspec.structs.replace(t, timeout_us=_timeout_us(timeout)) for t in found]
    return found


def _say_what_is_left_out(topology: Topology, sbc: str | None) -> None:
    from probes.checks import notes

    for line in notes(topology, sbc):
        print(f"sereno: note: {line}", file=sys.stderr)


def _timeout_us(text: str) -> int:
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    if value <= 0:
        raise UsageError(f"--timeout: {text!r} leaves no time; write one such as 900ms")
    return value


def _known(what: str, name: str | None, names: Any) -> None:
    if name is not None and name not in names:
        raise UsageError(f"there is no {what} {name!r}; there are {', '.join(names)}")


async def _run(topology: Topology, targets: list[Any], as_json: bool) -> set[str]:
    """All at once, each printed when it comes; the outcomes seen. SIGTERM ends it in order: calls are hung up."""
    from probes.checks import REGISTRY, Runtime
    from probes.checks.run import guarded
    from probes.checks.sip_standing import SipStandings
    from probes.sip.client import SipClient
    from sereno.topology import resolve_secret

    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    clock, boot, outcomes = SystemClock(), secrets.token_hex(8), list[str]()

    def secret(account: str) -> str | None:
        return resolve_secret(topology.accounts[account].password, account)

    sip = SipClient(PROBE, clock=clock)
    targets = await _named(topology, targets, sip)
    standings = SipStandings()
    late = _Late()
    runtime = Runtime(
        clock=clock, topology=topology, probe=PROBE, sip=sip, secret=secret, standings=standings, emit=late.came
    )
    stop = await _with_calls(runtime, targets)

    async def one(target: Any) -> None:
        found = await late.instead(await guarded(target, runtime, REGISTRY))
        if found.check == "edge" and found.transport == "tls" and found.code is not None:
            found = await _graded(found, target, runtime)
        outcomes.append(found.outcome)
        stamped = msgspec.structs.replace(found, probe=PROBE, boot=boot, seq=len(outcomes))
        print(encode(stamped).decode() if as_json else _line(stamped), flush=True)

    try:
        await asyncio.gather(*(one(target) for target in targets))
    finally:
        await sip.close()
        if stop is not None:
            await stop()
    return set(outcomes)


async def _graded(found: Result, target: Any, runtime: Any) -> Result:
    """With the standing of the listener's TLS: after the check, for many handshakes may wear a listener out."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SCAN_SECONDS):
            await runtime.standings.scan_due([target], runtime)
    graded: Result = runtime.standings.told(target, runtime, found)
    return graded


class _Late:
    """Replies that come after the deadline: the running probe makes second results of them; here one is enough."""

    def __init__(self) -> None:
        self._came: dict[tuple[Any, ...], asyncio.Future[Result]] = {}

    def came(self, found: Result) -> None:
        future = self._future(found)
        if not future.done():
            future.set_result(found)

    async def instead(self, found: Result) -> Result:
        """The result that supersedes this one, if it comes in time."""
        sent = isinstance(found.evidence, dict) and "messages" in found.evidence  # else nobody listens on
        waits = {"timeout", "malformed"} if found.transport == "udp" else {"timeout"}  # a garbled stream is closed
        if not sent or found.reason not in waits or found.check in {"register", "call"}:
            return found
        done, _ = await asyncio.wait([self._future(found)], timeout=LATE_SECONDS)
        return done.pop().result() if done else found

    def _future(self, found: Result) -> "asyncio.Future[Result]":
        key = (found.check, found.sbc, found.core, found.address, found.target, found.at)
        return self._came.setdefault(key, asyncio.get_running_loop().create_future())


async def _named(topology: Topology, targets: list[Any], sip: Any) -> list[Any]:
    """SBCs given by name become what their names lead to (RFC 3263); who is not resolved in its time stays a name."""
    from probes.checks.named import Names

    sip.resolver.use(topology.checks.dns.resolvers if topology.checks.dns is not None else ())
    found: list[Any] = await Names(targets, sip.resolver).first(max(t.timeout_seconds for t in targets))
    return found


async def _with_calls(runtime: Any, targets: list[Any]) -> Callable[[], Awaitable[None]] | None:
    """The pool of call workers and the meter, started only for the checks that need them; how to stop them."""
    from probes.checks.base import BY_WORKERS
    from sereno.instance import data_directory

    if targets[0].check not in BY_WORKERS:
        return None
    from probes.sip.pool import CallPool

    runtime.extras["pstn calls"] = data_directory() / "pstn-calls.json"
    settings = runtime.topology.checks.dns
    runtime.calls = CallPool(targets, runtime.clock, resolvers=settings.resolvers if settings is not None else ())
    await runtime.calls.start()
    return cast("Callable[[], Awaitable[None]]", runtime.calls.stop)


def _line(found: Result) -> str:
    """One readable line: mark, where, what. Phrases are the peer's words: no control character reaches the terminal."""
    from probes.media.printable import printable

    mark = {"ok": "✓", "failed": "✕", "invalid": "?"}[found.outcome]
    where = "/".join(part for part in (found.sbc, found.core) if part) or found.target or ""
    if found.check in {"terminating", "pstn"}:
        where = f"{where} to {found.target}"
    words = [mark, found.check, where, found.account or "", found.address or "", found.outcome]
    if found.reason is not None:
        words.append(found.reason)
    if found.code is not None:
        words.append(f"{found.code} {found.phrase}".strip())
    if found.answered_by is not None and found.answered_by != "none":
        words.append(f"from {found.answered_core or found.answered_by}")
    if found.rtt_seconds is not None:
        words.append(f"rtt {found.rtt_seconds * 1e3:.3f} ms")
    elif found.answered_after_seconds is not None:
        words.append(f"answered after {found.answered_after_seconds * 1e3:.1f} ms")
    if found.retransmissions:
        words.append(f"{found.retransmissions} retransmitted")
    words += _call_words(found)
    if found.outcome != "ok" and isinstance(found.evidence, dict) and isinstance(found.evidence.get("detail"), str):
        words.append(found.evidence["detail"])
    return printable("  ".join(word for word in words if word))


def _call_words(found: Result) -> list[str]:
    """What only registrations and calls measure."""
    words = []
    if found.expires_seconds is not None:
        words.append(f"expires in {found.expires_seconds:g} s")
    if found.post_dial_delay_seconds is not None:
        words.append(f"post-dial delay {found.post_dial_delay_seconds * 1e3:.1f} ms")
    if found.codec is not None:
        words.append(found.codec)
    for direction, stream in (found.media or {}).items():
        mos = stream.get("mos_lq")
        words.append(f"MOS-LQ {direction} {mos:.2f}" if isinstance(mos, float) else f"MOS-LQ {direction} unknown")
    return words
