"""`python -m deploy.lab`: the supervisor in the foreground; it stops with its parent unless told to detach."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from deploy.lab.client import Lab
from deploy.lab.process import die_with_parent
from deploy.lab.render import log_file
from deploy.lab.supervisor import Supervisor
from sereno.errors import SerenoError


def main() -> int:
    """Run one lab until SIGTERM or Ctrl-C; 2 and one line when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m deploy.lab")
    parser.add_argument("--net", default="127.0")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--detach", action="store_true", help="live on after the parent; quiet once ready")
    given = parser.parse_args()
    if not given.detach:
        die_with_parent(signal.SIGTERM, os.getppid())
    elif os.fork():
        return 0  # whoever started us has no child to wait for
    try:
        lab = Lab(given.net, given.state)
        supervisor = Supervisor(lab.plan, lab.state_dir, lambda line: print(line, flush=True))
        asyncio.run(supervisor.run(lambda: _quiet(lab.state_dir) if given.detach else None))
    except SerenoError as error:
        print(f"sereno: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def _quiet(state: Path) -> None:
    """Let go of the pipes of whoever started us, which tells them that we are ready; speak to the log from now on."""
    log = os.open(log_file(state, "supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


sys.exit(main())
