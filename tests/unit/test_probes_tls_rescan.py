"""When a server's TLS is scanned again; and that requests of checks are not in the logs."""

import logging

from probes.checks.tls_standing import SCAN_SECONDS, WEAK_SECONDS, Standing, rescan_seconds, weaknesses
from sereno.process import setup_logging

WELL = {
    "protocols": {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True},
    "suites": {"anonymous": False, "weak": False},
}


def test_what_only_a_scan_can_find_mended_is_asked_for_sooner():
    well = Standing().after(weaknesses(WELL))
    assert rescan_seconds(well) == SCAN_SECONDS
    assert rescan_seconds(well.after({"tls10": True})) == WEAK_SECONDS
    assert rescan_seconds(well.after({"expiring": True, "untrusted": True, "no_hsts": True})) == SCAN_SECONDS
    assert rescan_seconds(Standing().after(weaknesses(WELL | {"suites": {}}))) == WEAK_SECONDS  # not all is measured


def test_requests_of_checks_do_not_fill_the_log(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # the root's handlers are pytest's
    before = logging.getLogger("httpx").level
    try:
        setup_logging()
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    finally:
        logging.getLogger("httpx").setLevel(before)
