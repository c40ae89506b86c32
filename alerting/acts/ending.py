"""How it ends: resolved, confirmed, closed, or not over after all; and what the customer thought of it."""

from msgspec.structs import replace

from alerting.acts import report
from alerting.acts.act import Act
from alerting.acts.billing import billed
from alerting.acts.waiting import paused
from alerting.acts.words import field_names
from alerting.book import MONITOR
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import IncidentRecord, Survey
from sereno.verdict import VERDICT

LOWEST_SCORE, HIGHEST_SCORE = 1, 5


def resolve(act: Act) -> None:
    """It is over, says a person. Refused while anything of it is still down."""
    record = act.record
    move(record, "resolve")
    refuse_broken(act, record)
    record = _categorised(act, record)
    if paused(record):
        begun = record.pauses[-1][0]
        record = replace(record, pauses=(*record.pauses[:-1], (begun, act.at_us)))
    record = act.put(act.attended(record), act.line("resolved by hand"))
    record = act.desk.resolve(record, act.at_us, act.who, good_us=record.good_us)
    act.put(record, billing=billed(act, record))


def refuse_broken(act: Act, record: IncidentRecord) -> None:
    """Nobody resolves what is still down: its own alarms, and the sites that a person's incident names."""
    desk = act.desk
    broken = {
        state.key
        for state in act.states.values()
        if (state.incident == record.number and desk.holds(record, state))
        or (desk.broken(state) and desk.what(state) == VERDICT and _named(record, state.kind, state.name))
    }
    if broken:
        names = ", ".join(dict.fromkeys(f"{kind} {name}" for _, kind, name in sorted(broken)))
        raise RefusedError(f"no se puede resolver el incidente {record.number}: sigue mal {names}")


def _named(record: IncidentRecord, kind: str, name: str) -> bool:
    """A person's incident is about this site, or about sites while nothing works at all."""
    if record.opened_by == MONITOR or record.kind == "request":
        return False
    return name in record.sites if kind == "site" else kind == "service" and bool(record.sites)


def close(act: Act) -> None:
    """Confirmed and done with. Refused without category and cause on the record."""
    record = act.record
    state = move(record, "close")
    record = _categorised(act, record)
    refuse_uncategorised(record)
    record = replace(record, billing=billed(act, record))
    act.put(record, act.line("closed"), state=state, closed_us=act.at_us, told_resolved=True)


def confirm(act: Act) -> None:
    """The customer says that it is solved; with category and cause on the record, that closes it."""
    record = act.record
    move(record, "confirm")
    record = _categorised(act, record)
    record = act.put(record, act.line("the customer confirms the solution"), confirmed_us=act.at_us)
    lacks = uncategorised(record)
    if lacks:
        names = field_names(DESK_LANGUAGE, lacks)
        act.put(record, say(DESK_LANGUAGE, "not closed yet, it lacks: {names}", names=names))
        return
    record = replace(record, billing=billed(act, record))
    act.put(
        record, say(DESK_LANGUAGE, "closed"), state=move(record, "close"), closed_us=act.at_us, told_resolved=True,
    )  # fmt: skip


def _categorised(act: Act, record: IncidentRecord) -> IncidentRecord:
    """With the category and the cause that came with the act."""
    blame = act.one_of("cause", report.BLAMES, "plataforma, cliente, proveedor o tercero")
    category = act.text("category")
    return replace(
        record, category=category or record.category, closing_cause=blame or record.closing_cause,
    )  # fmt: skip


def uncategorised(record: IncidentRecord) -> tuple[str, ...]:
    """What people must say before they close it, and have not.

    Of a request what kind it was, of an incident also whose the cause was. The monitor's own tickets are nobody's case.
    """
    if record.class_ == "monitor":
        return ()
    wanted = {"category": record.category}
    if record.kind == "incident":
        wanted["cause"] = record.closing_cause
    return tuple(name for name, value in wanted.items() if value is None)


def refuse_uncategorised(record: IncidentRecord) -> None:
    lacks = uncategorised(record)
    if lacks:
        names = field_names(DESK_LANGUAGE, lacks)
        raise RefusedError(
            f"no se puede cerrar el incidente {record.number}: falta {names} "
            "(--category, --cause plataforma|cliente|proveedor|tercero)"
        )


def reopen(act: Act) -> None:
    """It was not over."""
    record = act.record
    move(record, "reopen")
    record = replace(record, confirmed_us=None, billing=None)
    act.desk.reopen(record, act.at_us, act.who, act.line("reopened by hand"))


def survey(act: Act) -> None:
    """The answer to the satisfaction survey; the last one counts, the timeline keeps them all."""
    record = act.record
    move(record, "survey")
    score = act.number("score")
    if score is None or not LOWEST_SCORE <= score <= HIGHEST_SCORE:
        raise RefusedError(f"la encuesta se contesta de {LOWEST_SCORE} a {HIGHEST_SCORE} (--score)")
    comment = act.text("comment") or act.text("text") or act.text("note")
    said = Survey(at_us=act.at_us, score=score, who=act.who, comment=comment)
    line = say(DESK_LANGUAGE, "survey: {score} of {highest}", score=score, highest=HIGHEST_SCORE)
    act.put(record, f"{line}: {comment}" if comment else line, survey=said)
