"""What a page says when something of an account cannot be, by the word of its fault."""

from dashboards.web.words import Words
from sereno.accounts.names import SHORTEST_PASSWORD, AccountError

FAULTS = {
    "name": "This is no name for an account: small letters, digits and . _ @ + - only.",
    "taken": "There is an account with this name already; choose another.",
    "short": "A password has {shortest} characters or more; three words do.",
    "long": "This password is too long.",
    "own": "The password is the name with little else; choose words that have nothing to do with it.",
    "plain": "The password has too few different signs; choose another.",
    "differ": "The two passwords are not the same.",
    "wrong": "The name or the password is not right.",
    "current": "The current password is not right.",
    "link": "This link was used, has expired or is not one of ours; ask an administrator for a new one.",
    "role": "There is no such role.",
    "customers": "A manager needs one customer or more.",
    "unknown": "There is no such account.",
    "last": "This is the only administrator who can log in; make another one first.",
    "disabled": "The account is disabled; enable it first.",
    "scope": "Choose what the token may do.",
    "form": "This form is too old or not of this page; it was loaded again, please repeat.",
    "wait": "Too many attempts: try again in {seconds} s.",
    "refused": "The identity provider let you in, but no role here is for you; ask an administrator.",
    "provider": "The identity provider did not answer as it should; try again, or log in with a password.",
    "locale": "There is no such language.",
    "days": "A number of days, or nothing.",
}


def told(words: Words, fault: str, **values: object) -> str:
    """The sentence of a fault in the reader's language."""
    return words.text(FAULTS[fault], **({"shortest": SHORTEST_PASSWORD} if fault == "short" else values))


def why(words: Words, error: AccountError) -> str:
    """The same of an error; one without a sentence of its own says what it says."""
    return told(words, error.fault) if error.fault in FAULTS else str(error)
