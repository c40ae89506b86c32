"""Text of others (file names, SIP headers) that is put before people: in a terminal, a picture, a page."""

from unicodedata import category

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # Unicode general categories


def printable(text: str) -> str:
    """Text that XML can carry and that stays where it stands: no controls, no halves of characters."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(letter) in _UNSEEN else letter for letter in text)
