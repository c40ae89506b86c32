"""Findings of the doctor about what is measured, who is told, and what is easily forgotten: made, and then not."""

import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from doctor_site import NOW_US, Site, broke, states, told
from pki import Pki
from sqlalchemy import update

from sereno.clock import SECOND_US
from sereno.doctor import Asked, Patient
from sereno.doctor.findings import (
    backups,
    capture,
    certificates,
    clock,
    grafana,
    page,
    pdf,
)
from sereno.store.tables import audit, outbox, topologies, users, verdict_changes

HOUR_US = 3_600 * SECOND_US


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


# -- what measures -----------------------------------------------------------------------------------------------------


def test_a_clock_that_nobody_keeps():
    assert not clock.kept(5, 0x40, 16_000_000).synchronised
    assert clock.kept(0, 0x2001, 1_500).synchronised
    assert [one.state for one in clock.judge(clock.kept(5, 0x40, 16_000_000))] == ["warning"]
    assert [one.state for one in clock.judge(clock.kept(0, 0x2001, 1_500))] == ["ok"]
    assert [one.state for one in clock.judge(clock.look(None))] in (["ok"], ["warning"])  # the kernel answers


@pytest.mark.parametrize(("offset", "state"), [(0.2, "warning"), (-0.9, "broken"), (None, "unknown")])
def test_a_probes_clock_is_off(site, offset, state):
    site.report(clock_offset_seconds=offset)
    assert states(site.ask("skew")) == {state}


def test_probes_that_are_silent(site):
    site.report(state="offline")
    assert broke(site.ask("probes"), "offline since")
    site.report()
    site.forget_results()
    assert broke(site.ask("probes"), "online, and without a result")
    site.topology.write_text(site.topology.read_text().replace("probes: {", "probes: {sjo-1: {network: ice}, "))
    assert broke(site.ask("probes"), "never reported")


def test_a_probe_without_its_secret(site):
    site.report(notes=["no secret for monitor-1: /etc/x: No such file or directory; mend the file"])
    assert broke(site.ask("notes"), "its checks are invalid")
    site.report(notes=["the canaries are silent"])
    assert broke(site.ask("notes"), "the probe says", "warning")


def test_a_probe_that_reaches_nobody(site):
    site.forget_results()
    site.result("options", core="core-a", outcome="failed", reason="timeout", answered_by="none")
    assert broke(site.ask("blind"), "reached nobody in 1 checks")


def test_quarantine_and_holes(site):
    site.refuse(3)
    assert broke(site.ask("quarantine"), "3 results were refused within the hour; the last: from the future", "warning")
    site.report(dropped=7)
    assert broke(site.ask("holes"), "7 results are lost for ever", "warning")


def test_the_capture_helper(tmp_path):
    path = tmp_path / "capture-helper"
    assert [one.state for one in capture.judge(capture.helper(path))] == ["warning"]
    path.write_text("#!/bin/sh\n")
    found = capture.helper(path)
    assert (found.there, found.may_run) == (True, os.access(path, os.X_OK))
    plain = capture.Helper(path="x", there=True, may_run=True, capable=False)
    assert [one.state for one in capture.judge(plain)] == ["warning"]
    assert not capture._of_the_file(path)


# -- what is measured --------------------------------------------------------------------------------------------------


def test_an_sbc_that_answers_nobody_or_only_some(site):
    site.result("options", probe="sjo-1", core="core-a", outcome="failed", reason="timeout", answered_by="none")
    assert broke(site.ask("sbcs"), "answers bog-1 and not sjo-1", "warning")
    site.forget_results()
    site.result("options", core="core-a", outcome="failed", reason="timeout", answered_by="none")
    assert broke(site.ask("sbcs"), "answers OPTIONS to no probe")


def test_identify_that_never_matches_and_the_wrong_core(site):
    site.forget_results()
    site.result("options", core="core-a", answered_by="unknown", code=200)
    assert broke(site.ask("identify"), "matched none of 1 answers", "warning")
    site.result("options", core="core-a", outcome="failed", reason="wrong_core", answered_by="core", code=200)
    assert broke(site.ask("identify"), "answered by another core")


def test_steering_that_is_ignored_or_refused(site):
    site.result("options", core="core-a", outcome="failed", reason="loop", code=483)
    assert broke(site.ask("steering"), "loops: 1 answers")
    site.result("options", core="core-a", outcome="invalid", reason="steering", code=404, answered_by="sbc")
    assert broke(site.ask("steering"), "refuses to relay (404)")


def test_an_account_that_is_refused(site):
    site.result("register", core="core-a", account="monitor-1", outcome="failed", reason="auth", code=401,
                age_seconds=0)  # fmt: skip
    assert broke(site.ask("accounts"), "the platform refuses it (401)")
    site.result("register", sbc="sbc-2", core="core-a", account="monitor-1", code=200, age_seconds=0)
    assert broke(site.ask("accounts"), "refused in some places and taken in others (401)")


def test_calls_without_sound(site):
    site.result("call", core="core-a", outcome="failed", reason="one_way", age_seconds=0)
    assert broke(site.ask("media"), "lack sound (one_way)")
    site.forget_results()
    site.result("options", core="core-a")
    assert states(site.ask("media")) == {"unknown"}


def test_the_network_is_spoken_to_only_when_asked(site):
    from sereno.cli.doctor import knock

    assert states(site.ask("reached", knock=knock)) == {"unknown"}
    site.topology.write_text(site.topology.read_text().replace("sip:127.0.1.1", "sip:127.0.0.1:9"))
    assert broke(site.ask("reached", knock=knock, network=True), "does not answer an OPTIONS from this machine")


# -- who is told -------------------------------------------------------------------------------------------------------


def failing(connection):
    """The channel said that it does not deliver."""
    connection.execute(
        verdict_changes.insert().values(
            kind="channel", name="mail", what="notify_failing", state="true", since_us=NOW_US, at_us=NOW_US,
            reason="refused", facts="{}",
        )
    )  # fmt: skip


def test_people_whom_nothing_reaches(site):
    with site.store.write() as connection:
        failing(connection)
    assert ("broken", "nothing reaches them: no channel of theirs delivers (mail)", "person ana") in site.ask("oncall")
    site.desk.write_text(site.desk.read_text().replace("email: ana@acme.example, ", ""))
    assert broke(site.ask("files"), "people.ana")


def test_a_desk_without_levels_or_with_nobody_on_them(site):
    site.desk.write_text(site.desk.read_text().replace("levels: [{name: L1, people: [ana]}]\n", ""))
    assert broke(site.ask("oncall"), "no levels", "warning")
    from sereno.doctor.findings import oncall

    nobody = oncall.OnCall(levels=1, now=(("L1", ()),))
    assert [one.state for one in oncall.judge(nobody)] == ["broken"]


def test_channels_that_fail_or_were_never_tried(site):
    with site.store.write() as connection:
        connection.execute(outbox.insert().values(**site.row("mail/2", state="failed", error="550 no relay")))
    assert broke(site.ask("channels"), "1 messages were given up within a day: 550 no relay", "warning")
    with site.store.write() as connection:
        failing(connection)
    assert broke(site.ask("channels"), "does not deliver: refused")
    with site.store.write() as connection:
        connection.execute(outbox.delete())
        connection.execute(verdict_changes.delete())
    assert broke(site.ask("channels"), "never delivered anything", "warning")


def test_a_mail_server_that_refuses(tmp_path):
    from aiosmtpd.controller import Controller

    class Handler:
        refuses = True

        async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - its API
            if self.refuses:
                return "554 5.7.1 relay access denied"
            envelope.rcpt_tos.append(address)
            return "250 OK"

    handler = Handler()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    made = Site(tmp_path, smtp_port=port)
    try:
        assert states(made.ask("mail")) == {"unknown"}
        assert broke(made.ask("mail", network=True), "RCPT TO: 554")
        handler.refuses = False
        assert states(made.ask("mail", network=True)) == {"ok"}
        controller.stop()
        assert broke(made.ask("mail", network=True), "connecting")
    finally:
        made.close()


def test_no_heartbeat(site):
    with site.store.write() as connection:
        connection.execute(
            verdict_changes.insert().values(
                kind="monitor", name="acme-voice", what="heartbeat", state="false", since_us=NOW_US, at_us=NOW_US,
                reason="nothing is committed", facts="{}",
            )
        )  # fmt: skip
    assert broke(site.ask("heartbeat"), "does not go out: nothing is committed")
    site.desk.write_text(site.desk.read_text().partition("heartbeat:")[0])
    assert broke(site.ask("heartbeat"), "nobody would notice", "warning")


# -- what is easily forgotten ------------------------------------------------------------------------------------------


def test_an_open_house_and_a_page_beyond_this_machine(site):
    assert broke(site.ask("exposure"), "there are no accounts", "warning")
    site.lead(page="http://10.0.0.7:8080/")
    answers = site.ask("exposure")
    assert broke(answers, "without TLS")
    assert broke(answers, "open to everybody")
    with site.store.write() as connection:
        connection.execute(
            users.insert().values(name="ana", role="admin", customers="[]", locale="es_CO", created_us=1, version=1)
        )
    site.lead()
    assert states(site.ask("exposure")) == {"ok"}


def test_certificates_that_run_out(site):
    made = Pki(site.folder / "pki")
    soon, _ = made.issue("soon", "DNS:x", days=10)
    ended, _ = made.issue("ended", "DNS:x", ended=True)
    site.clock.set(time.time_ns() // 1_000)
    text_ = site.topology.read_text()
    for path, words, state in (
        (soon, "runs out in 10 days", "warning"), (ended, "ran out", "broken"),
        (site.topology, "cannot be read", "broken"),
    ):  # fmt: skip
        site.topology.write_text(text_.replace("primary: core-a}", f"primary: core-a, tls: {{ca: {path}}}}}"))
        assert broke(site.ask("certificates"), words, state), path
    absent = certificates.of_file(site.folder / "none.pem", certificates.to_datetime(NOW_US))
    assert [one.state for one in certificates.judge([absent])] == ["broken"]


def test_a_page_whose_certificate_is_not_trusted_answers_all_the_same(tmp_path):
    certificate, key = Pki(tmp_path / "pki").self_signed("page", "DNS:elsewhere")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}/healthz"
    status, distrusted = page.answer(url)
    [found] = page.judge(page.Ports(url=url, status=status, distrusted=distrusted))
    server.shutdown()
    server.server_close()
    assert (status, distrusted, found.state) == (501, "self-signed certificate", "warning")
    assert page.answer(url) == (0, None)


def test_no_backup(site):
    assert states(site.ask("backups")) == {"ok"}  # the store is of today
    with site.store.write() as connection:
        connection.execute(update(topologies).values(from_us=NOW_US - 72 * HOUR_US))
    assert broke(site.ask("backups"), "no backup was ever made", "warning")
    with site.store.write() as connection:
        connection.execute(
            audit.insert().values(at_us=NOW_US - 48 * HOUR_US, who="root", how="cli", what=backups.MADE, about="x",
                                  outcome="done")
        )  # fmt: skip
    assert broke(site.ask("backups"), "the last backup is of", "warning")
    copies = site.folder / "copies"
    copies.mkdir()
    (copies / "a.backup").write_bytes(b"x")
    os.utime(copies / "a.backup", (NOW_US / 1e6, NOW_US / 1e6))
    assert states(site.ask("backups", backups=copies)) == {"ok"}


def test_no_pango_and_no_font(tmp_path):
    assert pdf.missing(("libnothing-of-the-kind.so.0", "libc.so.6")) == ("libnothing-of-the-kind.so.0",)
    assert not pdf.any_font([tmp_path])
    (tmp_path / "a.ttf").write_bytes(b"")
    assert pdf.any_font([tmp_path])
    assert [one.state for one in pdf.judge(pdf.Printing(missing=("x",), fonts=False))] == ["warning", "warning"]


def test_prometheus(site):
    answer = b'{"data": {"result": []}}'

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert broke(site.ask("prometheus", prometheus=url), "knows nothing of Sereno")
        answer = b'{"data": {"result": [{"value": [1, "%d"]}]}}' % (NOW_US // SECOND_US - 5)
        assert states(site.ask("prometheus", prometheus=url)) == {"ok"}
        site.clock.advance(600)
        assert broke(site.ask("prometheus", prometheus=url), "scraped Sereno last", "warning")
    finally:
        server.shutdown()
        server.server_close()
    assert broke(site.ask("prometheus", prometheus=url), "does not answer")


def test_grafana_without_our_boards(tmp_path):
    (tmp_path / "dashboards").mkdir()
    assert [one.state for one in grafana.judge(grafana.provisioned(tmp_path))] == ["warning"]
    boards = tmp_path / "boards"
    boards.mkdir()
    (tmp_path / "dashboards" / "x.yaml").write_text(f"providers: [{{name: x, options: {{path: {boards}}}}}]\n")
    assert [one.state for one in grafana.judge(grafana.provisioned(tmp_path))] == ["warning"]
    (boards / "sereno-panorama.json").write_text("{}")
    assert [one.state for one in grafana.judge(grafana.provisioned(tmp_path))] == ["ok"]


def test_a_broker_that_hangs(tmp_path, monkeypatch):
    """Somebody listens and never answers, as a stopped process does."""
    monkeypatch.setattr("sereno.doctor.findings.broker._SECONDS", 0.3)
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    monkeypatch.setenv("SERENO_BROKER_PASSWORD_FILE", str(secret))
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"mqtt://collector@127.0.0.1:{hanging.getsockname()[1]}"
        answers = told(Patient(Asked(data=tmp_path, broker=url)), "broker")
        assert broke(answers, "does not answer in time")
        assert "CancelledError" not in str(answers)
