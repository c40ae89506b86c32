"""What the commands that write files into a folder share."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from sereno.errors import UsageError


def render_into(folder: Path, write: Callable[[Path], Iterable[Path]], *, as_json: bool) -> None:
    """Write the files and print their paths; UsageError when the folder cannot be written."""
    try:
        written = [str(path) for path in write(folder)]
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; give a folder that can be written") from None
    print(json.dumps({"written": written}) if as_json else "\n".join(written))
