"""Reads a mailbox into the desk's inbox: fetched at least once, taken exactly once.

Each message becomes an order whose key is its mailbox and UID. The place in the folder moves on only when the order's
outcome is known, so what ends in between is fetched again, and the order is then known.
"""

import hashlib
import logging
from collections.abc import Callable

import msgspec
from sqlalchemy import insert, select, update

from alerting.mailbox.imap import Imap, MailboxError, Place
from alerting.mailbox.message import read
from sereno.clock import Clock
from sereno.desk.inbound import Mailbox
from sereno.store import Store
from sereno.store.commands import submit, wait
from sereno.store.tables import positions

log = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0
AT_ONCE = 50  # messages of one look
VERB = "mail.take"
WHO = "correo"


class Poller:
    """`poll` once in a while, from one thread; after a MailboxError the next one connects anew."""

    def __init__(
        self, store: Store, clock: Clock, box: Mailbox, secret: Callable[[], str],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._box, self._secret, self._stopped = store, clock, box, secret, stopped
        self._imap: Imap | None = None
        self._unmarked = ""
        self.name = f"{box.imap} {box.user} {box.folder}"

    def poll(self) -> int:
        """Everything that is new; how many messages the desk has taken."""
        try:
            imap = self._imap = self._imap or Imap(self._box, self._secret())
            return self._taken(imap)
        except BaseException:
            self.leave()
            raise

    def close(self) -> None:
        """From another thread: what blocks now ends with an error."""
        if (imap := self._imap) is not None:
            imap.close()

    def leave(self) -> None:
        if (imap := self._imap) is not None:
            self._imap = None
            imap.leave()

    def _taken(self, imap: Imap) -> int:
        end = imap.place()
        known = self._known(end.validity)
        if known is None:  # the first look into this folder: what people have read already is theirs
            begin = Place(end.validity, end.uid)
            waiting = [uid for uid in imap.unseen() if uid <= end.uid]
        else:
            begin = Place(end.validity, known)
            waiting = imap.after(known)
        count = 0
        for fetched in imap.fetch(waiting[:AT_ONCE] if known is not None else waiting):
            if self._stopped():
                return count
            taken = self._order(end.validity, fetched.uid, fetched.raw, fetched.size)
            if known is not None:
                self._stand(Place(end.validity, fetched.uid))
            if taken:
                self._mark(imap, fetched.uid)
                count += 1
        if known is None:
            self._stand(begin)
        return count

    def _mark(self, imap: Imap, uid: int) -> None:
        """For people; the desk's place has moved on, so nothing is lost where the server refuses."""
        try:
            imap.done(uid)
        except MailboxError as error:
            if str(error) != self._unmarked:
                log.warning("taken, and not marked: %s", error)
            self._unmarked = str(error)

    def _order(self, validity: int, uid: int, raw: bytes, size: int) -> bool:
        """Whether the desk has it; what it cannot take at all is for people to read."""
        letter = read(raw, size=size)
        place = f"{validity}/{uid}"
        key = hashlib.sha256(f"{self.name}/{place}".encode()).hexdigest()[:40]
        arguments = {"mailbox": self.name, "uid": place, "letter": msgspec.to_builtins(letter)}
        command = submit(self._store, VERB, arguments, WHO, f"mail/{key}", self._clock)
        outcome = wait(self._store, command, ANSWER_SECONDS)
        if outcome.state == "pending":
            raise MailboxError(f"{self.name}: the desk did not take message {place} in time; it is tried again")
        if outcome.state == "refused":
            log.error("%s: message %s is left unread in its folder: %s", self.name, place, outcome.text)
        return outcome.state == "done"

    # -- the place in the folder ---------------------------------------------------------------------------------------

    def _reader(self, validity: int) -> str:
        return f"mail.{hashlib.sha256(self.name.encode()).hexdigest()[:16]}.{validity}"

    def _known(self, validity: int) -> int | None:
        with self._store.read() as connection:
            found = connection.execute(select(positions.c.position).where(positions.c.reader == self._reader(validity)))
            place = found.scalar()
        return None if place is None else int(place)

    def _stand(self, place: Place) -> None:
        reader = self._reader(place.validity)
        with self._store.write() as connection:
            moved = connection.execute(update(positions).where(positions.c.reader == reader).values(position=place.uid))
            if moved.rowcount == 0:
                connection.execute(insert(positions).values(reader=reader, position=place.uid))
