"""One REGISTER in a worker: sent, waited for until its deadline, told to the pool."""

import time
from collections.abc import Callable

import pjsua2

from probes.sip.ipc import AnyEvent, Ending, Register, Registered, Renewal, Unregister, Unregistered
from probes.sip.ladder import read
from probes.sip.ua import Account, UserAgent, words

Emit = Callable[[AnyEvent], None]
EBUSY = 171001  # PJSIP_EBUSY: the account's last REGISTER is not over
MOST_REQUESTS = 12  # of one registration: two challenges, a stale nonce, a 423; pjsip may go round for ever
NOT_REGISTERED = 70013  # PJ_EINVALIDOP: there is no binding to remove


class EndlessError(Exception):
    """Pjsip asks again and again, thousands of times a second, and cannot be told to stop: the process must end."""


class Registration:
    """A REGISTER, or the one with `Expires: 0` that ends a binding, in progress until `done`."""

    def __init__(self, ua: UserAgent, command: Register | Unregister, emit: Emit) -> None:
        self._ua, self._command, self._emit = ua, command, emit
        self._account: Account | None = None
        self._call_id: str | None = None
        self._renewals: tuple[Renewal, ...] = ()
        self.done = False
        self.started_ns = time.monotonic_ns()
        self.deadline = time.monotonic() + command.timeout_seconds

    def start(self) -> None:
        """Send it."""
        try:
            self._send()
        except pjsua2.Error as error:
            if error.status == EBUSY:
                self._finish("busy", detail="the last REGISTER of this account is still unanswered")
            elif error.status == NOT_REGISTERED:
                self._finish("answered")
            else:
                self._finish("error", detail=words(error))

    def _send(self) -> None:
        command = self._command
        if isinstance(command, Register):
            self._account = self._ua.account(command.account)
        else:
            self._account = self._ua.known(command.key)
            if self._account is None:
                self._finish("answered")
                return
        self._ua.transaction_timeout(command.timeout_seconds)
        self._renewals, self._account.renewals = self._account.renewals, ()
        before = self._account.on_state
        self._account.on_state = self._heard
        try:
            self._account.setRegistration(isinstance(command, Register))
        except pjsua2.Error:
            self._account.on_state = before
            raise
        self._call_id = self._ua.log.latest_call_id(self.started_ns)

    def _heard(self, code: int, from_wire: bool) -> None:
        """Pjsip is done with it: an answer, its own timer (a 408 that nobody sent), or a transport that failed."""
        if from_wire:
            self._finish("answered")
        else:
            self._finish("timeout" if code == 408 else "transport")  # noqa: PLR2004

    def tick(self, now: float) -> None:
        """Give up at the deadline; pjsip's own transaction ends about then.

        A 423 with the highest Min-Expires that there is means "none" to pjsip, which then sends the same again at once.
        """
        messages = self._ua.log.of(self._call_id, self.started_ns)
        if len(messages) > MOST_REQUESTS and len({one.cseq for one in read(messages).requests}) > MOST_REQUESTS:
            self._finish("answered", detail=f"more than {MOST_REQUESTS} REGISTERs and no end: it goes in circles")
            raise EndlessError(f"{self._command.id}: a REGISTER without end")
        if now >= self.deadline:
            self._finish("timeout")

    def _finish(self, ending: Ending, detail: str | None = None) -> None:
        if self.done:
            return
        self.done = True
        if self._account is not None and self._account.on_state == self._heard:
            self._account.on_state = None
        command = self._command
        if isinstance(command, Unregister):
            self._emit(Unregistered(id=command.id, ending=ending))
            return
        self._emit(
            Registered(
                id=command.id,
                ending=ending,
                started_ns=self.started_ns,
                ended_ns=time.monotonic_ns(),
                messages=self._ua.log.of(self._call_id, self.started_ns),
                detail=detail,
                renewals=self._renewals,
            )
        )
