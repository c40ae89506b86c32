"""What a supervised process tells its supervisor: lines on the descriptor that $SERENO_NOTIFY_FD names.

Without a supervisor the lines go to standard error, so that a person who starts a part by hand sees them.
"""

import os
import sys
from typing import Literal

FD_ENV = "SERENO_NOTIFY_FD"
Kind = Literal["ready", "note", "fault"]


def tell(kind: Kind, text: str) -> None:
    """One line: `ready` once what is promised works, `note` for news, `fault` for what a person must mend."""
    line = f"{kind} {' '.join(text.split())}\n"
    descriptor = os.environ.get(FD_ENV)
    if descriptor is None:
        sys.stderr.write(line)
        sys.stderr.flush()
        return
    try:
        os.write(int(descriptor), line.encode())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{FD_ENV}={descriptor}: {error}: {line}")
