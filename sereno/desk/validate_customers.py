"""Faults of `customers:` and `survey:` in `desk.yaml`."""

import re
from collections.abc import Iterator

from sereno.desk.model import Desk
from sereno.errors import ConfigError
from sereno.yamlfile import Document, is_url


def faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    """The channel must send mail; the survey's link is a web address with nothing but the number to fill in."""
    name = desk.customers.channel
    if name is not None:
        yield from document.named(("customers", "channel"), "channel", "channels", name, desk.channels)
        if name in desk.channels and desk.channels[name].kind != "smtp":
            yield document.fault(("customers", "channel"), f"{name} sends no mail", "name a channel that has `smtp:`")
    if desk.survey is not None and (
        not is_url(desk.survey, {"http", "https"}) or re.search(r"[{}]", desk.survey.replace("{number}", ""))
    ):
        yield document.fault(
            ("survey",), "is not a web address with {number} in it", "write https://survey.example/?case={number}"
        )
