"""`sereno inbound`: what came from outside and what became of it; whether the ways in work."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.clock import iso
from sereno.errors import UsageError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What came from outside, and what became of it.")
OUTCOMES = ("opened", "answered", "acknowledged", "noted", "repeated", "refused")
Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, the newest.")]


@app.command()
def mails(
    outcome: Annotated[
        list[str] | None, typer.Option("--outcome", help=f"Only {', '.join(OUTCOMES)}; repeatable.", show_default=False)
    ] = None,
    limit: Limit = 50, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Messages taken from the mailbox, the newest last."""
    from sereno.store.tables import mails as table

    for one in outcome or ():
        if one not in OUTCOMES:
            raise UsageError(f"--outcome {one}: no such outcome; they are {', '.join(OUTCOMES)}")
    query = table.select().order_by(table.c.id.desc()).limit(limit)
    if outcome:
        query = query.where(table.c.outcome.in_(outcome))
    found = [
        {
            "at": iso(row.received_us), "from": row.sender, "subject": row.subject, "outcome": row.outcome,
            "why": row.why, "incident": row.number, "message_id": row.message_id, "uid": row.uid,
        }
        for row in reversed(_rows(data, database, query))
    ]  # fmt: skip
    if as_json:
        _print({"mails": found})
        return
    if not found:
        print("Ningún correo.")
    for mail in found:
        number = f" #{mail['incident']}" if mail["incident"] is not None else ""
        why = f" ({mail['why']})" if mail["why"] else ""
        print(f"{mail['at']}  {mail['outcome']}{number}  {mail['from']}: {mail['subject']}{why}")


@app.command()
def alerts(
    limit: Limit = 50, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Alerts that Alertmanager told of, the newest last."""
    import msgspec

    from sereno.alertmanager import Told
    from sereno.store.tables import external_alerts as table

    found = []
    for row in reversed(_rows(data, database, table.select().order_by(table.c.id.desc()).limit(limit))):
        told = msgspec.json.decode(row.body, type=Told)
        found.append(
            {
                "heard": iso(row.received_us), "cause": row.name, "status": row.status, "since": iso(told.starts_us),
                "until": iso(told.ends_us) if told.ends_us is not None else None, "fingerprint": row.fingerprint,
                "labels": told.labels, "annotations": told.annotations,
            }
        )  # fmt: skip
    if as_json:
        _print({"alerts": found})
        return
    if not found:
        print("Ninguna alerta.")
    for alert in found:
        print(f"{alert['heard']}  {alert['status']:<8}  {alert['cause']}  desde {alert['since']}")


@app.command()
def check(
    desk: Annotated[Path, typer.Option("--desk", help="The desk's file.")], as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try the ways in that a desk file names, changing nothing; exit 1 if one does not work."""
    from sereno.desk import load_desk

    model = load_desk(desk)
    found = []
    if model.inbound.mail is not None:
        found.append(_mailbox(model.inbound.mail))
    found += [_client(name, client.token) for name, client in model.api.clients.items()]
    if as_json:
        _print({"ways": found})
    else:
        for way in found:
            print(f"{'✓' if way['ok'] else '✕'} {way['way']}: {way['what']}")
        if not found:
            print("desk.yaml no nombra ninguna entrada")
    if not all(way["ok"] for way in found):
        raise typer.Exit(1)


def _mailbox(box: Any) -> dict[str, Any]:
    from alerting.mailbox.imap import Imap, MailboxError
    from alerting.mailbox.service import secret_of

    way = f"inbound.mail {box.imap}"
    try:
        opened = Imap(box, secret_of(box))
        try:
            end, unseen = opened.place(), opened.unseen()
        finally:
            opened.leave()
    except MailboxError as error:
        return {"way": way, "ok": False, "what": str(error)}
    return {"way": way, "ok": True, "what": f"{box.folder}: UIDVALIDITY {end.validity}, {len(unseen)} sin leer"}


def _client(name: str, token: Any) -> dict[str, Any]:
    from dashboards.web.inbound import digest_of

    digest, why = digest_of(name, token)
    return {"way": f"api.clients.{name}", "ok": digest is not None, "what": why or "su SHA-256 se puede leer"}


def _rows(data: Path | None, database: str | None, query: Any) -> list[Any]:
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        with store.read() as connection:
            return list(connection.execute(query))
    finally:
        store.dispose()


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
