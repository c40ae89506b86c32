"""`sereno doctor`: the mistakes that are made most, looked for one by one; each with where it is and how to mend it."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.errors import UsageError

if TYPE_CHECKING:
    from sereno.doctor import Finding
    from sereno.doctor.knock import Knock
    from sereno.topology import Topology

app = typer.Typer(add_completion=False)
LANGUAGES = ("es", "en")


@app.command()
def doctor(  # noqa: PLR0917  # one parameter for each option
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    topology: Annotated[
        Path | None, typer.Option("--topology", help="This file; else the one in use.", show_default=False)
    ] = None,
    desk: Annotated[
        Path | None, typer.Option("--desk", help="This file; else the one in use.", show_default=False)
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", help="The broker; else that of `sereno up`.", show_default=False)
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Prometheus; else one on this machine.", show_default=False)
    ] = None,
    backups: Annotated[
        Path | None, typer.Option("--backups", help="Folder of backups made elsewhere.", show_default=False)
    ] = None,
    network: Annotated[
        bool, typer.Option("--network", help="Also speak to the SBCs (OPTIONS) and to mail servers, from here.")
    ] = False,
    lang: Annotated[str, typer.Option("--lang", help="Language of what is said: es or en.")] = "es",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what is wrong with this installation, where, and how to mend it. Changes nothing.

    Exit status: 0 fine, 1 something is broken, 3 something that matters cannot be told. Works with nothing running,
    with a running `sereno up`, and with a broken store.

    Examples: `sereno doctor` · `sereno doctor --topology topology.yaml` before the first start · `sereno doctor
    --database postgresql://sereno@db/sereno --broker mqtts://collector@broker:8883 --network`
    """
    from sereno.cli._progress import Progress
    from sereno.doctor import Asked, Patient, examine, summary
    from sereno.doctor.findings import QUESTIONS
    from sereno.instance import data_directory

    if lang not in LANGUAGES:
        raise UsageError(f"--lang {lang}: no such language here: es or en")
    if data is not None and database is not None:
        raise UsageError("--data and --database exclude each other; give one")
    if backups is not None and not backups.is_dir():
        raise UsageError(f"--backups {backups}: is no folder; name the one that holds *.backup files")
    _readable_urls(database, broker)
    asked = Asked(
        data=data_directory(data), database=database, topology=topology, desk=desk, broker=broker,
        prometheus=prometheus, backups=backups, network=network,
    )  # fmt: skip
    patient = Patient(asked, knock=knock)
    with Progress("doctor") as progress:
        findings = examine(patient, QUESTIONS, progress)
    patient.close()
    counts, status = summary(findings)
    if as_json:
        print(json.dumps({"findings": [_plain(one, lang) for one in findings], "summary": counts}, ensure_ascii=False))
    else:
        from sereno.cli._doctor import show

        show(findings, counts, lang)
    sys.stdout.flush()
    raise typer.Exit(status)


def _readable_urls(database: str | None, broker: str | None) -> None:
    """What is no URL at all is a slip of the command line, not a finding."""
    from sereno.mqtt import parse_broker
    from sereno.store.postgres import parse_url

    if database is not None:
        if "://" not in database:
            raise UsageError(f"--database {database!r}: not a database URL; write one, such as postgresql://…/sereno")
        parse_url(database)
    if broker is not None:
        parse_broker(broker)


def _plain(one: "Finding", language: str) -> dict[str, object]:
    return {
        "name": one.about, "state": one.state, "where": one.where or None, "what": one.told(language),
        "mend": one.mended(language) or None, "optional": one.optional,
    }  # fmt: skip


def knock(topology: "Topology") -> "list[Knock]":
    """An OPTIONS to every address of every SBC, from this machine, by the probes' own client."""
    import asyncio

    return asyncio.run(_knock(topology))


async def _knock(topology: "Topology") -> "list[Knock]":
    import asyncio

    from probes.checks import REGISTRY, Runtime, targets
    from probes.checks.named import Names
    from probes.checks.run import guarded
    from probes.checks.sip_standing import SipStandings
    from probes.sip.client import SipClient
    from sereno.clock import SystemClock
    from sereno.doctor.knock import Knock
    from sereno.topology import resolve_secret
    from sereno.wire import Result

    def secret(account: str) -> str | None:
        return resolve_secret(topology.accounts[account].password, account)

    name, clock = "sereno-doctor", SystemClock()
    sip = SipClient(name, clock=clock)
    sip.resolver.use(topology.checks.dns.resolvers if topology.checks.dns is not None else ())
    runtime = Runtime(
        clock=clock, topology=topology, probe=name, sip=sip, secret=secret, standings=SipStandings(),
        emit=lambda _result: None,
    )  # fmt: skip
    try:
        wanted = targets(topology, name, ("edge",))
        found = await Names(wanted, sip.resolver).first(2.0)
        results: Sequence[Result] = await asyncio.gather(*(guarded(one, runtime, REGISTRY) for one in found))
    finally:
        await sip.close()
    return [Knock(sbc=one.sbc or "", address=one.address or "", reason=_unheard(one), code=one.code) for one in results]


def _unheard(one: "object") -> str | None:
    """Why nothing was heard; an answer of any kind is an answer."""
    from sereno.wire import Result

    assert isinstance(one, Result)  # noqa: S101  # imported late
    return None if one.outcome == "ok" or one.code is not None else one.reason or "timeout"
