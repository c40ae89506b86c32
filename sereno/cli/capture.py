"""`sereno capture-helper`: becomes the helper that opens the capture socket for a probe; see probes/media/helper.py."""

import os
from typing import Annotated

import typer

from probes.media import helper
from sereno.errors import UsageError

app = typer.Typer(add_completion=False)


@app.command(help="Open the capture socket for a probe, hand it over the inherited descriptor, exit.")
def capture_helper(
    fd: Annotated[int, typer.Option(help="Descriptor of the socketpair inherited from the probe.")],
    ports: Annotated[str, typer.Option(help="UDP port range, A-B.")],
    interface: Annotated[str, typer.Option(help="Network interface.")] = "lo",
) -> None:
    try:
        words = helper.command(fd, interface, helper.port_range(ports))
        os.fstat(fd)
        os.execv(words[0], words)  # noqa: S606 - what a supervisor started is the helper itself
    except ValueError as error:
        raise UsageError(f"--ports {error}") from None
    except OSError as error:
        where = helper.PROGRAM if error.filename else f"--fd {fd}"
        raise UsageError(f"{where}: {error.strerror}: this command is started by a probe") from None
