"""Prometheus scrapes this Sereno: the one named with --prometheus, else one on this machine."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import msgspec

from sereno.clock import SECOND_US
from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

HERE = "http://127.0.0.1:9090"
_SECONDS = 3.0
_QUERY = "max(timestamp(sereno_build_info))"
_OLD_US = 120 * SECOND_US


class Scraped(msgspec.Struct, frozen=True, kw_only=True):
    """`newest_us`: of our newest sample there; None: it has none."""

    url: str
    now_us: int
    newest_us: int | None = None
    named: bool = False
    fault: str | None = None


def look(patient: Patient) -> Scraped:
    """Asks it for our newest sample."""
    named = patient.asked.prometheus
    url = (named or HERE).rstrip("/")
    now_us = patient.clock.now_us()
    if urlsplit(url).scheme not in {"http", "https"}:
        raise CannotLookError("--prometheus {url} is no web address", "write http://HOST:9090", url=url)
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={quote(_QUERY)}", timeout=_SECONDS) as answer:  # noqa: S310  # http(s) only, above
            rows = json.load(answer)["data"]["result"]
    except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError) as error:
        if named is None:
            raise CannotLookError("no Prometheus answers on this machine", "name yours with --prometheus URL",
                                  optional=True) from None  # fmt: skip
        return Scraped(url=url, now_us=now_us, named=True, fault=str(getattr(error, "reason", error)))
    newest = max((float(row["value"][1]) for row in rows), default=None)
    return Scraped(url=url, now_us=now_us, newest_us=None if newest is None else round(newest * SECOND_US),
                   named=named is not None)  # fmt: skip


def judge(found: Scraped) -> Iterator[Finding]:
    """Without it boards are empty; the watch goes on."""
    mend = "add the job of deploy/prometheus/prometheus.yml with this page's HOST:PORT, and reload it"
    if found.fault is not None:
        yield broken("Prometheus does not answer ({why})", "look at the address and whether it runs", found.url,
                     why=found.fault)  # fmt: skip
    elif found.newest_us is None:
        tell = broken if found.named else warning
        yield tell("Prometheus knows nothing of Sereno", mend, found.url)
    elif found.now_us - found.newest_us > _OLD_US:
        yield warning("Prometheus scraped Sereno last {seconds} s ago", "look at its targets page", found.url,
                      seconds=(found.now_us - found.newest_us) // SECOND_US)  # fmt: skip
    else:
        yield ok("scrapes Sereno", found.url)


QUESTION = Question(name="prometheus", title="Prometheus", look=look, judge=judge)
