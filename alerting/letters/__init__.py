"""What messages say: facts first, in the reader's language and his local time. Pure."""

from alerting.letters.digest import digest
from alerting.letters.facts import Reader
from alerting.letters.incident import Letter, letter
from alerting.letters.times import moment

__all__ = ["Letter", "Reader", "digest", "letter", "moment"]
