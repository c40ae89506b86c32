"""E-mail to ticket: letters read (message), sorted (sort), taken by the desk (take), fetched from a mailbox (imap)."""

from alerting.mailbox.message import Attachment, Letter, read
from alerting.mailbox.take import take_mail

__all__ = ["Attachment", "Letter", "read", "take_mail"]
