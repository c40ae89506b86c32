"""Reports are made in processes of their own: a hundred sites take seconds, and neither loop nor page may wait.

The child is `sereno.cli._press`, the one place that knows engines and forms; what it is asked comes on its standard
input, for a database's URL may hold a password.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Literal

import msgspec

from sereno.errors import SerenoError

AT_ONCE = 2  # children; more would only take the processor from the collector
SECONDS = 180.0
_LEAVE_SECONDS = 2.0


class PressError(SerenoError):
    """A report could not be made; `str()` says why in one line."""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child is asked: the model of a month, an issue of it, a form of an issue, or one of what stands now."""

    do: Literal["model", "issue", "render", "copy"]
    store: str
    customer: str | None = None
    site: str | None = None
    month: str = ""
    edition: str = "full"
    language: str | None = None
    who: str = ""
    how: str = "web"
    address: str | None = None
    number: int = 0
    form: str = ""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An issue, and the words by which it is sent; `names` are the files' names by form."""

    id: int
    customer: str
    site: str | None
    month: str
    language: str
    locale: str
    over: bool
    verdict: str | None
    data_hash: str
    subject: str
    lead: str
    rows: tuple[tuple[str, str], ...]
    names: dict[str, str]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A form of an issue."""

    name: str
    type: str
    body: bytes


class Press:
    """At most so many children at once; each has a deadline."""

    def __init__(self, store: str, *, at_once: int = AT_ONCE, seconds: float = SECONDS) -> None:
        self._store, self._seconds = store, seconds
        self._turns = asyncio.Semaphore(at_once)

    async def model(self, month: str, *, customer: str | None = None, site: str | None = None) -> bytes:
        """The report's model as JSON; nothing is recorded."""
        return await self._run(Order(do="model", store=self._store, customer=customer, site=site, month=month))

    async def issue(
        self, month: str, *, customer: str | None = None, site: str | None = None, edition: str = "full",
        language: str | None = None, who: str, how: str = "web", address: str | None = None,
    ) -> Made:  # fmt: skip
        """Records an issue, and who made it; the one that there is already where nothing has changed since."""
        order = Order(
            do="issue", store=self._store, customer=customer, site=site, month=month, edition=edition,
            language=language, who=who, how=how, address=address,
        )  # fmt: skip
        try:
            return msgspec.json.decode(await self._run(order), type=Made)
        except msgspec.DecodeError as error:
            raise PressError(f"what came of the report cannot be read: {error}") from None

    async def render(self, number: int, form: str) -> File:
        """One form of an issue, to the byte as it was made before."""
        return await self._file(Order(do="render", store=self._store, number=number, form=form))

    async def copy(
        self, month: str, form: str, *, customer: str | None = None, site: str | None = None, edition: str = "full",
        language: str | None = None,
    ) -> File:  # fmt: skip
        """One form of the report as the record stands now; nothing is kept of it."""
        order = Order(
            do="copy", store=self._store, customer=customer, site=site, month=month, edition=edition,
            language=language, form=form,
        )  # fmt: skip
        return await self._file(order)

    async def _file(self, order: Order) -> File:
        head, _, body = (await self._run(order)).partition(b"\n")
        try:
            name, kind = msgspec.json.decode(head, type=tuple[str, str])
        except msgspec.DecodeError as error:
            raise PressError(f"what came of the report cannot be read: {error}") from None
        return File(name=name, type=kind, body=body)

    async def _run(self, order: Order) -> bytes:
        async with self._turns:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sereno.cli._press", stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                async with asyncio.timeout(self._seconds):
                    said, complaint = await child.communicate(msgspec.json.encode(order))
            except TimeoutError:
                raise PressError(f"the report was not made within {self._seconds:.0f} s") from None
            finally:
                await _end(child)
        if child.returncode:
            lines = complaint.decode("utf-8", "replace").strip().splitlines()
            last = lines[-1].removeprefix("sereno: ") if lines else f"status {child.returncode}"
            raise PressError(last)
        return said


async def _end(child: asyncio.subprocess.Process) -> None:
    """None is left behind, however this ends."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await child.wait()
