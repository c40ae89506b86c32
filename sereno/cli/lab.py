"""`sereno lab`: a real softswitch on loopback, to be broken and healed."""

import json
import sys
from typing import Annotated, Any

import typer

from deploy.lab import Lab

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A real softswitch on loopback: two SBCs, two cores, far ends."
)

Net = Annotated[str, typer.Option("--net", help="The loopback net: 127.N puts SBCs on 127.N.1.x, cores on 127.N.2.x.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_WHAT = (
    "core-a core-b sbc-1 sbc-2 (killed), each with :freeze (silence); sbc-1:503 (refuses to forward), sbc-1/core-a:503 "
    "or sbc-1:503=core-a (to that core only), sbc-1:drop, sbc-1:nofailover, sbc-1:slow=1200ms; core-a:nodb "
    "(OPTIONS answered, REGISTER and INVITE refused); sbc-1:oneway (no RTP comes to the probe; sbc-1:oneway=tx: none "
    "goes from it); media:sbc-1:loss=5%,jitter=30ms (its RTP and RTCP suffer; keys: loss=N%, burst=N, jitter=Nms, "
    "delay=Nms, duplicate=N%, reorder=N%, direction=rx|tx|both, seed=N; see docs/lab.md)."
)
_HEAL = "One fault, one component, the media of one SBC (media:sbc-1); everything when left out."
_NET = "127.0"


@app.command()
def up(net: Net = _NET, as_json: Json = False) -> None:
    """Start the lab and return when every way through it has been proved."""
    status = Lab(net).up(lambda line: print(f"lab {net}: {line}", file=sys.stderr, flush=True))
    _print_status(status, as_json)


@app.command()
def down(net: Net = _NET, as_json: Json = False) -> None:
    """Stop the lab; nothing of it stays."""
    was_up = Lab(net).down()
    print(json.dumps({"net": net, "was_up": was_up}) if as_json else f"lab {net}: {'down' if was_up else 'was not up'}")


@app.command()
def status(net: Net = _NET, as_json: Json = False) -> None:
    """What runs, what is frozen or dead, what is broken; status 1 when the lab is not up."""
    found = Lab(net).status()
    _print_status(found, as_json)
    raise typer.Exit(0 if found["up"] else 1)


@app.command("break")
def break_(what: Annotated[str, typer.Argument(help=_WHAT)], net: Net = _NET, as_json: Json = False) -> None:
    """Break something: prints what, and the instant at which the fault took effect."""
    done = Lab(net).break_(what)
    print(json.dumps(done) if as_json else f"{done['at']}  {done['what']}  broken")


@app.command()
def heal(
    what: Annotated[str | None, typer.Argument(help=_HEAL)] = None,
    net: Net = _NET,
    as_json: Json = False,
) -> None:
    """Heal what is broken and return when all that should work is proved again."""
    done = Lab(net).heal(what)
    print(json.dumps(done) if as_json else f"{done['at']}  {done['what']}  healed, proved at {done['ready']}")


def _print_status(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    if not found["up"]:
        print(f"lab {found['net']}: not up")
        return
    for name, one in found["components"].items():
        calls = f"  {one['calls']} calls" if one["calls"] is not None else ""
        print(f"{name:7}  {one['address']:17}  {one['state']:8}  pid {one['pid'] or '–'}{calls}")
    for one in found["media"]:
        if one["kind"] == "rtp" and not one["over"]:
            print(_media_line(one))
    for fault in found["faults"]:
        print(f"broken   {fault['what']} since {fault['at']}")


def _media_line(one: dict[str, Any]) -> str:
    """What became of a stream of a call that is on."""
    did = " ".join(f"{one[key]} {key}" for key in ("dropped", "duplicated", "reordered") if one[key])
    return (
        f"media    {one['sbc']} {one['direction']} {one['src']} > {one['dst']}  {one['packets_in']} in  {did}".rstrip()
    )
