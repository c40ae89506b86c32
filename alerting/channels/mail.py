"""One message as a mail: text and HTML, threaded by incident, marked as written by a machine."""

from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, parseaddr

from alerting.channels.base import RejectedError, said
from alerting.effects import Notification
from alerting.letters.html import html
from alerting.letters.whole import whole
from sereno.clock import SECOND_US
from sereno.desk.channels import message_id


def mail(message: Notification, sender: str, reply_to: str | None = None) -> EmailMessage:
    """The letter; its Message-ID is its key, so that a second delivery is recognised as the same."""
    try:
        return _mail(message, sender, reply_to)
    except (MessageError, ValueError) as error:
        raise RejectedError(f"{said('no mail can be made of it')}: {error}") from None


def recipients(message: Notification) -> list[str]:
    """The addresses, several with commas between them."""
    given = message.address or ""
    found = [address for _, address in getaddresses([given]) if "@" in address]
    if not found or not given.isprintable():
        raise RejectedError(said("{person} has no e-mail address", person=message.to))
    return found


def envelope(sender: str) -> str:
    """The address alone of `Sereno <sereno@example.net>`."""
    return parseaddr(sender)[1] or sender


def _mail(message: Notification, sender: str, reply_to: str | None) -> EmailMessage:
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = ", ".join(recipients(message))
    if reply_to is not None:
        letter["Reply-To"] = reply_to
    mark = "" if message.incident is None else f" [#{message.incident}]"
    letter["Subject"] = " ".join(message.subject.split()) + mark
    letter["Date"] = formatdate(message.at_us / SECOND_US)
    letter["Message-ID"] = message_id(message.key, sender)
    if message.thread:
        root = message_id(message.thread, sender)
        letter["In-Reply-To"] = root  # RFC 5322 §3.6.4: what shares a parent is shown as one conversation
        letter["References"] = root
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834
    letter["X-Auto-Response-Suppress"] = "All"
    letter["X-Sereno"] = str(message.incident or message.what)
    letter["X-Priority"] = "1" if message.page else "3"
    letter.set_content(whole(message), cte="quoted-printable")
    letter.add_alternative(html(message), subtype="html", cte="quoted-printable")
    for file in message.enclosed:
        kind, _, subtype = file.type.partition("/")
        letter.add_attachment(file.body, maintype=kind, subtype=subtype, filename=file.name)
    return letter


__all__ = ["envelope", "mail", "recipients"]
