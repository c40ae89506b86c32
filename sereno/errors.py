"""Exceptions, few, named by who is at fault; each is one line: where, what, how to mend it."""


class SerenoError(Exception):
    """Somebody gave us something wrong; `str()` is the one line that a person reads."""

    exit_code = 2


class ConfigError(SerenoError):
    """A file an operator wrote is wrong.

    `where` is `file` or `file:line`; `what` names the key and the fault; `mend` says how to put it right.
    """

    def __init__(self, where: str, what: str, mend: str) -> None:
        self.where, self.what, self.mend = where, what, mend
        super().__init__(f"{where}: {what}; {mend}")


class UsageError(SerenoError):
    """A flag or an argument is wrong."""


class WireError(SerenoError):
    """A message from the wire cannot be read: garbage, or a version we do not know.

    `cause` is one word of a closed list, by which refusals are counted (`sereno_results_refused_total`).
    """

    def __init__(self, what: str, *, version: int | None = None, cause: str = "malformed") -> None:
        self.version, self.cause = version, cause if version is None else "version"
        super().__init__(what)


class StoreError(SerenoError):
    """The database refuses, is missing or belongs to another writer."""
