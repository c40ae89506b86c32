"""References and rules of `inbound:`, `api:` and `secrets:`; shapes were checked before."""

import re
from collections.abc import Iterator
from pathlib import Path

from sereno.desk.inbound import Mailbox
from sereno.desk.model import Desk
from sereno.errors import ConfigError
from sereno.topology.model import Secret, Topology
from sereno.yamlfile import Document, Where, is_url

EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_SENDER = re.compile(r"[^@\s<>,;]*@[^@\s<>,;]+")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    """The first of them is the one that is said."""
    if desk.inbound.mail is not None:
        yield from _mailbox(document, ("inbound", "mail"), desk.inbound.mail)
    for index, label in enumerate(desk.inbound.alerts.labels):
        if not _LABEL.fullmatch(label):
            yield document.fault(
                ("inbound", "alerts", "labels", index), f"{label!r} is no label's name", "write one such as severity"
            )
    for name, client in desk.api.clients.items():
        yield from reference(document, ("api", "clients", name, "token"), client.token)
    if desk.secrets.links is not None:
        yield from reference(document, ("secrets", "links"), desk.secrets.links)


def refuse_strangers(path: Path, desk: Desk, topology: Topology) -> None:
    """ConfigError where the mailbox's `senders` name a customer that the topology does not have."""
    senders = desk.inbound.mail.senders if desk.inbound.mail is not None else {}
    for name in senders:
        if name not in topology.customers:
            there = ", ".join(topology.customers) or "there are none"
            raise ConfigError(
                str(path), f"inbound.mail.senders: no customer {name} in the topology", f"name one: {there}"
            )


def _mailbox(document: Document, where: Where, box: Mailbox) -> Iterator[ConfigError]:
    if not is_url(box.imap, {"imap", "imaps"}):
        yield document.fault((*where, "imap"), "is not a mailbox server", "write imaps://host:993")
    yield from reference(document, (*where, "secret"), box.secret)
    if box.done is not None and box.done == box.folder:
        yield document.fault((*where, "done"), "is the folder that is read", "name another folder, or take it out")
    for customer, senders in box.senders.items():
        for index, sender in enumerate(senders):
            if not _SENDER.fullmatch(sender):
                yield document.fault(
                    (*where, "senders", customer, index),
                    f"{sender!r} is no address and no domain", 'write ana@example.net or "@example.net"',
                )  # fmt: skip
    for index, address in enumerate(box.own):
        if not EMAIL.fullmatch(address):
            yield document.fault((*where, "own", index), f"{address!r} is no e-mail address", "write desk@example.net")


def reference(document: Document, where: Where, secret: Secret) -> Iterator[ConfigError]:
    """A secret is a file or a variable."""
    if secret.file is None and secret.env is None:
        yield document.fault(where, "is not a reference", "write {file: PATH} or {env: NAME}")
