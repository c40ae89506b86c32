"""`sereno capture-helper`: opens the capture socket for a probe; see probes/media/helper.py."""

import socket
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
        low, high = helper.ports(ports)
        channel = socket.socket(fileno=fd)
    except ValueError as error:
        raise UsageError(f"--ports {error}") from None
    except OSError as error:
        raise UsageError(f"--fd {fd}: {error.strerror}: this command is started by a probe") from None
    with channel:
        raise typer.Exit(helper.hand_over(channel, interface, low, high))
