"""`sereno topology`: validate what is watched, print its JSON Schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="topology.yaml", readable=False)],
    desk: Annotated[
        Path | None, typer.Option(help="A desk.yaml to validate too.", show_default=False, readable=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a whole topology: shape, names, references, addresses. Exit 2 and one line at a fault."""
    from sereno.desk import load_desk, validate_inbound, validate_reports
    from sereno.topology import load_topology, topology_hash
    from sereno.topology.validate import notes

    topology = load_topology(file)
    told = None if desk is None else load_desk(desk)
    if told is not None and desk is not None:
        validate_inbound.refuse_strangers(desk, told, topology)
        validate_reports.refuse_strangers(desk, told, topology)
    remarks = notes(topology)
    if as_json:
        found = {
            "file": str(file),
            "valid": True,
            "service": topology.service,
            "hash": topology_hash(topology),
            "cores": list(topology.cores),
            "sbcs": list(topology.sbcs),
            "paths": [path.name for path in topology.paths()],
            "sites": list(topology.sites),
            "customers": list(topology.customers),
            "probes": list(topology.probes),
            "notes": remarks,
        }
        if told is not None:
            found["desk"] = {"file": str(desk), "contract": told.contract, "people": list(told.people)}
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    print(
        f"{file}: valid; service {topology.service}, {len(topology.cores)} cores, {len(topology.sbcs)} SBCs, "
        f"{len(topology.paths())} paths, {len(topology.sites)} sites, {len(topology.probes)} probes; "
        f"hash {topology_hash(topology)[:12]}"
    )
    if told is not None:
        print(f"{desk}: valid; contract {told.contract}, {len(told.people)} people, {len(told.levels)} levels")
    for remark in remarks:
        print(f"  note: {remark}")


@app.command()
def schema(
    desk: Annotated[bool, typer.Option("--desk", help="The schema of desk.yaml instead.")] = False,
) -> None:
    """Print the JSON Schema, for editors that complete and check YAML."""
    from sereno.desk import Desk
    from sereno.shape import json_schema
    from sereno.topology import Topology

    print(json_schema(Desk if desk else Topology))
