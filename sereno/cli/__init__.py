"""The `sereno` command: the only place that imports every room.

Each command is one module, imported only when it is asked for, so that `sereno mos` never loads a database.
"""

import errno
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from sereno.errors import SerenoError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("sereno.cli.up", "Everything on one machine: broker, collector, alerting, page and one probe."),
    "lab": ("sereno.cli.lab", "A real softswitch on loopback: two SBCs, two cores, far ends; break and heal it."),
    "probe": ("sereno.cli.probe", "A probe agent that reports to a broker."),
    "collector": ("sereno.cli.collector", "Collector, alerting and page against a broker and a database."),
    "check": ("sereno.cli.check", "Make one check now and print its result."),
    "rtp": ("sereno.cli.rtp", "Measure RTP streams, in captures or live."),
    "mos": ("sereno.cli.mos", "Rate and MOS by the E-model (ITU-T G.107, G.107.1)."),
    "topology": ("sereno.cli.topology", "Validate topology files."),
    "contract": ("sereno.cli.contract", "Validate and list contracts; compute due dates."),
    "verdicts": ("sereno.cli.verdicts", "What is up, degraded, down or unknown now."),
    "availability": ("sereno.cli.availability", "Availability of a scope in a window, low, observed and high."),
    "incidents": ("sereno.cli.incidents", "List, show and work on incidents."),
    "maintenance": ("sereno.cli.maintenance", "Add, list and cancel maintenance windows."),
    "replay": ("sereno.cli.replay", "Run recorded results through the same machines."),
    "dashboards": ("sereno.cli.dashboards", "Render the Grafana boards."),
    "metrics": ("sereno.cli.metrics", "List every metric exported, with its meaning."),
    "capture-helper": ("sereno.cli.capture", "Open the capture socket for a probe (needs CAP_NET_RAW)."),
    "version": ("sereno.cli.version", "Print the version."),
}
_HIDDEN = {"capture-helper"}


class _LazyGroup(TyperGroup):
    """Finds commands by name and imports their module on first use."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return [name for name in COMMANDS if name not in _HIDDEN]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Lists every command by its summary alone."""
        self._listing = True
        super().format_help(ctx, formatter)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        path, summary = COMMANDS[cmd_name]
        if self._listing:
            return TyperCommand(name=cmd_name, help=summary)
        module = importlib.import_module(path)
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.help = command.help or summary
        return command


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True)


def _version(asked: bool) -> None:
    if asked:
        from sereno.version import __version__

        print(f"sereno {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Sereno watches a dual-core SIP softswitch and wakes the right person, once, with the evidence."""


def fail(message: str, code: int = 2) -> NoReturn:
    """One line on standard error, then exit."""
    sys.stderr.write("sereno: " + " ".join(str(message).split()) + "\n")
    sys.stderr.flush()
    raise SystemExit(code)


def main() -> None:
    """Entry point: every error that is somebody's fault is one line and an exit status; no traceback."""
    _standard_streams()
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # who read us has read enough
        _forget_output()
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _forget_output()
        fail(f"the output cannot be written: {error.strerror}")
    raise SystemExit(code)


def _run() -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name="sereno", standalone_mode=False)
    except SerenoError as error:
        fail(str(error), error.exit_code)
    except typer.exceptions.TyperException as error:
        message = error.format_message()
        if message:
            fail(message.rstrip(".") + "; see --help", 2)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # the library's own answer to a closed pipe: status 1
            raise leaving.__context__ from None
        code = leaving.code
    return code if isinstance(code, int) else 0


_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _standard_streams() -> None:
    """Descriptors 0 to 2 exist (a file opened later must not become one), and what is said is UTF-8 in any locale."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _forget_output() -> None:
    """What is still buffered goes nowhere, so that leaving does not fail over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
