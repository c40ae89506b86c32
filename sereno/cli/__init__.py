"""The `sereno` command: the only place that imports every room.

Each command is one module, imported only when it is asked for, so that `sereno mos` never loads a database. The command
library is loaded late, too: who reads a capture by plain options (rtp_quick.py) does not wait for it.
"""

import errno
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from sereno.errors import SerenoError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("sereno.cli.up", "Everything on one machine: broker, collector, alerting, page and one probe."),
    "lab": ("sereno.cli.lab", "A real softswitch on loopback: two SBCs, two cores, far ends; break and heal it."),
    "probe": ("sereno.cli.probe", "A probe agent that reports to a broker."),
    "collector": ("sereno.cli.collector", "Collector, alerting and page against a broker and a database."),
    "check": ("sereno.cli.check", "Make one check now and print its result."),
    "preflight": ("sereno.cli.preflight", "Is this network fit for voice? Tested from a customer's premises."),
    "rtp": ("sereno.cli.rtp", "Measure RTP streams, in captures or live."),
    "mos": ("sereno.cli.mos", "Rate and MOS by the E-model (ITU-T G.107, G.107.1)."),
    "topology": ("sereno.cli.topology", "Validate topology files."),
    "contract": ("sereno.cli.contract", "Validate and list contracts; compute due dates."),
    "verdicts": ("sereno.cli.verdicts", "What is up, degraded, down or unknown now."),
    "probes": ("sereno.cli.probes", "How each probe stands: results, holes, quarantine, spool, clock."),
    "availability": ("sereno.cli.availability", "Availability of a scope in a window, low, observed and high."),
    "report": ("sereno.cli.report", "A customer's month: availability, service levels, voice, with evidence and hash."),
    "ledger": ("sereno.cli.ledger", "The ledger's sealed days: verify the chain, list it, take a day out."),
    "incidents": ("sereno.cli.incidents", "List, show and work on incidents."),
    "alarms": ("sereno.cli.alarms", "Declared alarms, what holds now, runbooks; silence and unsilence."),
    "oncall": ("sereno.cli.oncall", "Who is on call now and next; stand in for somebody; did every step happen?"),
    "problems": ("sereno.cli.problems", "Problem records: what recurs, its root cause, its workaround."),
    "activities": ("sereno.cli.activities", "Activities that contracts oblige to: due, done, with what evidence."),
    "notify": ("sereno.cli.notify", "Messages: what waits, went out or failed; how channels fare; test one."),
    "inbound": ("sereno.cli.inbound", "Mails and alerts that came in, and what became of them; try the ways in."),
    "maintenance": ("sereno.cli.maintenance", "Add, list and cancel maintenance windows."),
    "forensics": ("sereno.cli.forensics", "What happened in a window, in order; what changed first."),
    "replay": ("sereno.cli.replay", "Run recorded results through the same machines."),
    "users": ("sereno.cli.users", "Accounts: who may log in, as what; links, tokens, the audit log."),
    "dashboards": ("sereno.cli.dashboards", "Render the Grafana boards."),
    "rules": ("sereno.cli.rules", "Render recording rules and alarms for Prometheus."),
    "doctor": ("sereno.cli.doctor", "What is wrong with this installation, where, and how to mend it."),
    "metrics": ("sereno.cli.metrics", "List every metric exported, with its meaning."),
    "backup": ("sereno.cli.backup", "Copy the whole store to one file, proved by restoring it."),
    "restore": ("sereno.cli.restore", "Make a store again from a backup, all of it or nothing."),
    "capture-helper": ("sereno.cli.capture", "Open the capture socket for a probe (needs CAP_NET_RAW)."),
    "version": ("sereno.cli.version", "Print the version."),
}


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
    try:
        code = 0 if _quick() else _command()
    except SerenoError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return 130
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # the library's own answer to a closed pipe: status 1
            raise leaving.__context__ from None
        code = leaving.code
    return code if isinstance(code, int) else 0


def _quick() -> bool:
    """Do the one command that is quicker without the command library, if its options are plain; False: it is not."""
    if sys.argv[1:3] != ["rtp", "analyze"]:
        return False
    from sereno.cli.rtp_quick import understood

    asked = understood(sys.argv[3:])
    if asked is None:
        return False
    from sereno.cli.rtp_analyze import run

    run(asked)
    return True


def _command() -> object:
    """Run any command; its status, if it gives one."""
    from sereno.cli.root import run

    return run()


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
