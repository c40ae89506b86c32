"""`sereno up`: everything on one machine. It checks what it was given, then becomes the supervisor."""

import os
import random
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from sereno.errors import UsageError

if TYPE_CHECKING:
    from deploy.lab import Lab
    from sereno.listen import Listen

app = typer.Typer(add_completion=False)

DEFAULT_PORT = 8080
LAB_PROBE = "lab-1"  # the probe of the lab's own topology
LOCAL_PROBE = "local"  # when a topology names no probe
_PORTS_TRIED = 20
_LAB_GOES_SECONDS = 1.5
_QUIET_PORTS = range(20_000, 32_000)


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched and who is told, checked; and the probe that runs here."""

    topology: Path
    desk: Path | None
    probe: str
    others: list[str] = []


@app.command()
def up(
    topology: Annotated[
        Path | None, typer.Option("--topology", help="What is watched; else DATA/topology.yaml.")
    ] = None,
    desk: Annotated[
        Path | None, typer.Option("--desk", help="Who is told; else DATA/desk.yaml; else, with --lab, the lab's own.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data directory; else $SERENO_DATA.")] = None,
    http: Annotated[
        str | None, typer.Option("--http", help="HOST:PORT of the page; else the first free from 8080.")
    ] = None,
    lab: Annotated[bool, typer.Option("--lab", help="Also start the loopback softswitch and watch it.")] = False,
    net: Annotated[str, typer.Option("--net", help="The lab's loopback net.")] = "127.0",
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="PEM certificate of the page, with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM without passphrase.")] = None,
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="A reverse proxy that is believed; repeatable.")
    ] = None,
) -> None:
    """Start broker, collector, page and one probe (and the lab), and keep them running until Ctrl-C."""
    from sereno.instance import data_directory, take_lock
    from sereno.listen import listen_of

    folder = data_directory(data).absolute()
    softswitch = _lab(net) if lab else None
    files = _files(folder, topology, desk, softswitch)
    lock = take_lock(folder)
    listen = listen_of(_http(http), tls_cert, tls_key, proxy)
    _refuse_strangers(folder, listen)
    plan = _plan(folder, files, listen, softswitch)
    plan["lock"] = lock
    path = folder / "run.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1))
    os.set_inheritable(lock, True)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "sereno.supervisor", str(path)])  # noqa: S606


def _lab(net: str) -> "Lab":
    from deploy.lab import Lab

    return Lab(net)


def _files(folder: Path, topology: Path | None, desk: Path | None, softswitch: "Lab | None") -> Files:
    """The operator's files, valid as a whole; or the lab's own, which it writes when it starts."""
    from sereno.desk import load_desk
    from sereno.topology import load_topology

    own = folder / "desk.yaml"
    told = desk or (own if own.exists() else None)
    if topology is None and softswitch is not None:
        if told is not None:
            load_desk(told)
        return Files(topology=softswitch.topology_path, desk=(told or softswitch.desk_path).absolute(), probe=LAB_PROBE)
    path = topology or folder / "topology.yaml"
    if topology is None and not path.exists():
        raise UsageError("nothing says what to watch: give --topology FILE, or --lab for the softswitch on loopback")
    found = load_topology(path)
    if told is not None:
        load_desk(told)
    probe, *others = [*found.probes] or [LOCAL_PROBE]
    return Files(
        topology=path.absolute(), desk=told.absolute() if told is not None else None, probe=probe, others=others
    )


def _http(given: str | None) -> str:
    """Where the page will listen, HOST:PORT: what was asked for, or the first free port."""
    from sereno.listen import parse_http

    if given is not None:
        host, port = parse_http(given)
        if port == 0:
            return f"[{host}]:{_free_port(host)}" if ":" in host else f"{host}:{_free_port(host)}"
        if not _is_free(host, port):
            raise UsageError(f"--http {given}: the port is taken; choose another one")
        return given
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        if _is_free("127.0.0.1", port):
            return f"127.0.0.1:{port}"
    raise UsageError(
        f"the ports {DEFAULT_PORT} to {DEFAULT_PORT + _PORTS_TRIED - 1} are taken; give --http 127.0.0.1:PORT"
    )


def _refuse_strangers(folder: Path, listen: "Listen") -> None:
    """Said here and not by the collector's log: a page for others needs somebody who can log in."""
    from sereno.listen import refuse_unguarded
    from sereno.store import SQLITE_FILE, open_store

    if listen.private:
        return
    admin = False
    if (folder / SQLITE_FILE).exists():
        from sereno.accounts.users import any_admin

        store = open_store(folder)
        with store.read() as connection:
            admin = any_admin(connection)
        store.dispose()
    refuse_unguarded(listen, admin, f"--data {folder}")


def _plan(folder: Path, files: Files, listen: "Listen", softswitch: "Lab | None") -> dict[str, Any]:
    """What the supervisor starts, in its order."""
    from sereno import broker
    from sereno.version import __version__

    broker_folder = folder / "broker"
    mqtt = _broker_port(broker_folder)
    config = broker.prepare(broker_folder, mqtt, [files.probe, *files.others])
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    page = listen.url()
    sereno = [sys.executable, "-m", "sereno"]
    parts: list[dict[str, Any]] = [
        {
            "name": "broker",
            "arguments": [broker.program(), "-c", str(config)],
            "port": mqtt,
            "shown": f"mqtt://127.0.0.1:{mqtt}",
        }
    ]
    needs = ["broker"]
    if softswitch is not None and not _stays_up(softswitch):  # one that is up is used, and left alone at the end
        state = ["--state", str(softswitch.state_dir)]
        parts.append(
            {
                "name": "lab",
                "arguments": [sys.executable, "-m", "deploy.lab", "--net", softswitch.net, *state],
                "says_on_stdout": True,
                "parent_death_signal": 15,  # it has processes of its own to end
                "grace_seconds": 15.0,
            }
        )
        needs = ["broker", "lab"]
    desk = ["--desk", str(files.desk)] if files.desk is not None else []
    watching = ["--topology", str(files.topology), *desk]
    listening = ["--http", f"{host}:{listen.port}", *_beyond(listen), "--probe", files.probe]
    parts += [
        {
            "name": "collector",
            "arguments": [*sereno, "collector", *_to(broker.COLLECTOR, mqtt, folder), *watching, *listening],
            "environment": {
                "SERENO_BROKER_PASSWORD_FILE": str(broker.secret_file(broker_folder, broker.COLLECTOR)),
                "SERENO_URL": os.environ.get("SERENO_URL") or page,  # messages name it
                "SERENO_FIRST_LINK": "1",  # the supervisor prints it
            },
            "needs": needs,
            "reloads": True,
        },
        {
            "name": "probe",
            "arguments": [*sereno, "probe", *_to(files.probe, mqtt, folder / "probe"), "--name", files.probe],
            "environment": {"SERENO_BROKER_PASSWORD_FILE": str(broker.secret_file(broker_folder, files.probe))},
            "needs": needs,
            "parent_death_signal": 15,  # it un-registers and ends its workers; they die with it in any case
            "grace_seconds": 8.0,
        },
    ]
    return {
        "data": str(folder),
        "url": f"{page}/",
        "ports": {"http": listen.port, "broker": mqtt},
        "probe": files.probe,
        "topology": str(files.topology),
        "lab": softswitch.net if softswitch is not None else None,
        "version": __version__,
        "parts": parts,
    }


def _beyond(listen: "Listen") -> list[str]:
    """The options of a page that others come to."""
    tls = ["--tls-cert", str(listen.certificate), "--tls-key", str(listen.key)] if listen.certificate else []
    return [*tls, *(word for each in listen.proxies for word in ("--proxy", each))]


def _stays_up(softswitch: "Lab") -> bool:
    """Whether somebody else's lab is up; one that just lost its `sereno up` is about to go."""
    if not softswitch.is_up():
        return False
    time.sleep(_LAB_GOES_SECONDS)
    return softswitch.is_up()


def _to(account: str, port: int, folder: Path) -> list[str]:
    return ["--broker", f"mqtt://{account}@127.0.0.1:{port}", "--data", str(folder)]


def _broker_port(folder: Path) -> int:
    """The port of last time, so that probes started by hand find the broker again; another when it is taken."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "port"
    kept = path.read_text().strip() if path.exists() else ""
    if kept.isdigit() and _is_free("127.0.0.1", int(kept)):
        return int(kept)
    port = _free_port("127.0.0.1")
    path.write_text(f"{port}\n")
    return port


def _is_free(host: str, port: int) -> bool:
    try:
        _bound(host, port).close()
    except OSError:
        return False
    return True


def _free_port(host: str) -> int:
    """A port below those that the kernel gives to outgoing connections: one of these could take it while we restart."""
    for port in random.sample(_QUIET_PORTS, len(_QUIET_PORTS)):
        if _is_free(host, port):
            return port
    raise UsageError(f"{host}: no port from {_QUIET_PORTS[0]} to {_QUIET_PORTS[-1]} is free; give --http HOST:PORT")


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener
