"""`sereno notify`: messages and the ways out."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sereno.clock import SystemClock, to_datetime
from sereno.errors import SerenoError, UsageError

if TYPE_CHECKING:
    from alerting.effects import Notification
    from sereno.desk import Desk
    from sereno.store import Store
    from sereno.store.queries.outbox import Message

app = typer.Typer(no_args_is_help=True, add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_WORDS = {
    "pending": "espera", "sent": "entregado", "failed": "falló", "expired": "venció", "obsolete": "ya no se envía",
}  # fmt: skip


@app.command("list")
def list_(
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these; repeatable.")] = None,
    incident: Annotated[int | None, typer.Option("--incident", help="Only of this incident.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest.")] = 50,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What waits, what went out, what failed and why."""
    from sereno.cli._incident_store import zone_of
    from sereno.instance import open_store
    from sereno.store.queries.outbox import STATES, messages

    for asked in state or []:
        if asked not in STATES:
            raise UsageError(f"--state {asked}: no such state; they are {', '.join(STATES)}")
    store = open_store(data, database)
    try:
        with store.read() as connection:
            found, zone = messages(connection, states=state, incident=incident, limit=limit), zone_of(connection)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"messages": [one.as_json() for one in found]}, ensure_ascii=False))
        return
    for one in found:
        print(_line(one, zone))
    if not found:
        print("Ningún mensaje.")


@app.command()
def channels(data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """How each channel fares: what waits, what failed, when it last gave a receipt."""
    from sereno.cli._incident_store import zone_of
    from sereno.instance import open_store
    from sereno.store.queries.outbox import ways

    store = open_store(data, database)
    try:
        desk = _stored_desk(store)
        with store.read() as connection:
            found, zone = ways(connection, list(desk.channels) if desk is not None else []), zone_of(connection)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"channels": [one.as_json() for one in found]}, ensure_ascii=False))
        return
    for one in found:
        state = f"✕ no entrega desde {_local(one.since_us or 0, zone)}: {one.reason}" if one.failing else "✓ entrega"
        last = _local(one.last_receipt_us, zone) if one.last_receipt_us is not None else "nunca"
        print(f"{one.channel:<16} {state}; en espera {one.pending}; último recibo {last}")
    if not found:
        print("Ningún canal.")


@app.command("test")
def try_out(
    channel: Annotated[str | None, typer.Option("--channel", help="Through this channel.")] = None,
    person: Annotated[str | None, typer.Option("--person", help="To this person, by all their channels.")] = None,
    desk: Annotated[Path | None, typer.Option("--desk", help="Send from here, by this desk file.")] = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Send a test message and print its receipt. Exit status 1 when one has none."""
    if channel is None and person is None:
        raise UsageError("nobody to send to: give --channel NAME, --person NAME, or both")
    if desk is not None:
        found = _from_here(*_of_file(desk), channel, person)
    else:
        found = _by_the_desk(data, database, channel, person)
    if as_json:
        print(json.dumps({"messages": found}, ensure_ascii=False))
    else:
        for one in found:
            ended = f"entregado: {one['receipt']}" if one["state"] == "sent" else f"sin recibo: {one['error']}"
            print(f"{one['to']} por {one['channel']}: {ended}")
    if any(one["state"] != "sent" for one in found):
        raise typer.Exit(1)


def _by_the_desk(
    data: Path | None, database: str | None, channel: str | None, person: str | None
) -> list[dict[str, Any]]:
    """Through the outbox of who runs; else from here, by the desk file that was accepted last."""
    from sereno.cli._inbox import RefusedByDeskError
    from sereno.instance import open_store
    from sereno.store.commands import collector_alive, submit, wait

    store = open_store(data, database)
    try:
        if not collector_alive(store):
            return _from_here(*_of_store(store), channel, person)
        asked = {key: value for key, value in (("channel", channel), ("person", person)) if value is not None}
        command = submit(store, "notify.test", asked, "cli")
        outcome = wait(store, command, _PATIENCE_SECONDS)
        if outcome.state != "done":
            raise RefusedByDeskError(outcome)
        return [one.as_json() for one in _receipts(store, f"test/{command}/")]
    finally:
        store.dispose()


def _receipts(store: "Store", key: str) -> "list[Message]":
    """What became of them, once all have an end or patience has."""
    from sereno.store.queries.outbox import messages

    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with store.read() as connection:
            found = messages(connection, key=key, limit=1_000)
        if time.monotonic() > deadline or not any(one.state == "pending" for one in found):
            return found
        time.sleep(_LOOK_SECONDS)


def _from_here(
    service: str, desk: "Desk | None", channel: str | None, person: str | None
) -> list[dict[str, Any]]:  # fmt: skip
    """One attempt for each, by this process."""
    import asyncio

    from alerting.telling import Teller
    from alerting.trial import trial
    from sereno.alarms import load_alarms

    if desk is None:
        raise SerenoError("no hay mesa: nadie tiene canales; arranque con --desk desk.yaml")
    teller, now_us = Teller(service, desk, load_alarms(), None, "UTC"), SystemClock().now_us()
    found = trial(teller, channel, person, now_us, f"test/{now_us}")
    return asyncio.run(_speak(desk, found))


async def _speak(desk: "Desk", found: "list[Notification]") -> list[dict[str, Any]]:
    from alerting.channels import RejectedError, RetryError, channel_of

    said = []
    for message in found:
        one: dict[str, Any] = {"to": message.to, "channel": message.channel, "state": "sent", "error": None}
        try:
            one["receipt"] = await channel_of(message.channel, desk.channels[message.channel])(message)
        except (RejectedError, RetryError) as error:
            one |= {"state": "failed", "receipt": None, "error": str(error)}
        said.append(one)
    return said


def _of_file(path: Path) -> "tuple[str, Desk | None]":
    from sereno.desk import load_desk

    return "sereno", load_desk(path)


def _of_store(store: "Store") -> "tuple[str, Desk | None]":
    from sereno.cli._inbox import stored_machine

    return stored_machine(store).topology.service, _stored_desk(store)


def _stored_desk(store: "Store") -> "Desk | None":
    """The desk file that was accepted last."""
    import msgspec
    from sqlalchemy import select

    from sereno.desk import desk_from_json
    from sereno.store.tables import topologies

    with store.read() as connection:
        row = connection.execute(select(topologies.c.desk).order_by(topologies.c.id.desc()).limit(1)).first()
    return desk_from_json(msgspec.json.decode(row.desk)) if row is not None and row.desk else None


def _line(one: "Message", zone: str) -> str:
    about = f"#{one.incident}" if one.incident is not None else "-"
    ended = one.receipt if one.state == "sent" else one.error
    when = one.handed_us if one.handed_us is not None else one.created_us
    tries = f", {one.attempts} intentos" if one.attempts > 1 else ""
    head = f"{one.id:>6}  {_local(when, zone)}  {_WORDS[one.state]:<14} {about:<6} {one.what or '':<12}"
    return f"{head} {one.to} ({one.channel}){tries}{f': {ended}' if ended else ''}"


def _local(at_us: int, zone: str) -> str:
    """`2026-07-11 03:00:05-05:00`, where the desk's clock hangs."""
    from babel.dates import get_timezone

    return to_datetime(at_us).astimezone(get_timezone(zone)).isoformat(" ", "seconds")
