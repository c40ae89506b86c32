"""Registro: can phones register, for how long, and who refuses them."""

from dashboards.grafana import common
from dashboards.grafana.frame import About
from dashboards.grafana.kit import BAD, GOOD, POOR, Query, Sheet
from dashboards.grafana.queries import (
    AT,
    RANGE,
    failed_ratio,
    increase,
    newest,
    pick,
    quantile,
    rate,
    while_watched,
)

REGISTER = 'check="register"'
BY = "sbc, core"
WHERE = "{{sbc}}/{{core}}"
FAILED_STEPS = ((None, GOOD), (0.01, POOR), (0.5, BAD))
FINDINGS = 'finding=~"register_failing|account_refused|core_refusing|binding_lost|rebind_slow"'


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(5)
    common.watch(sheet)
    common.data_age(sheet, 4)
    failed = failed_ratio(REGISTER, AT, by=BY, window=RANGE)
    sheet.stat(
        4, say("Worst path: failed share"), say("Registrations that failed in the time range, on the worst path."),
        [Query(while_watched(f"max({failed})"))], unit="percentunit", decimals=1, steps=FAILED_STEPS,
    )  # fmt: skip
    tried = increase("sereno_check_results_total", REGISTER, AT, by="outcome")
    sheet.stat(
        5, say("Registrations tried"), say("Results of the time range, by outcome; invalid ones are our own fault."),
        [Query(while_watched(f"round({tried})"), "{{outcome}}")], decimals=0, names=True,
    )  # fmt: skip
    granted = f"min({pick('sereno_register_expires_seconds', AT)})"
    sheet.stat(
        3, say("Shortest expiry granted"),
        say("Of the registrations that stand; a short one means many re-registrations."),
        [Query(while_watched(granted))], unit="s", decimals=0, steps=((None, POOR), (60, GOOD)),
        nothing=say("No registration stands, or no collector is read"),
    )  # fmt: skip
    slow = quantile(0.95, "sereno_check_duration_seconds", REGISTER, AT, by="check", window=RANGE)
    sheet.stat(
        4, say("Register: 95th percentile"),
        say("Time of a whole registration, challenge included, in the time range."),
        [Query(while_watched(f"max({slow})"))], unit="s", decimals=3, steps=((None, GOOD), (1, POOR), (3, BAD)),
    )  # fmt: skip
    _detail(sheet)
    _platform(sheet)


def _detail(sheet: Sheet) -> None:
    say = sheet.words.text
    reasons = increase("sereno_check_results_total", REGISTER, 'outcome="failed"', AT, by="reason")
    sheet.line(8)
    sheet.bars(
        8, say("Failures by reason"), say("Registrations that failed in the time range, by reason."),
        [Query(f"sort_desc(({reasons}) > 0)", "{{reason}}")],
        unit="none", steps=((None, POOR),), decimals=0,
        nothing=say("No failure in the time range (if «Watch» is ✓)"),
    )  # fmt: skip
    sheet.series(
        16, say("Failed share over time"), say("Failed registrations among the valid ones, per path."),
        [Query(failed_ratio(REGISTER, AT, by=BY), WHERE)], unit="percentunit", maximum=1, step="2m",
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        12, say("Time of a registration: 95th percentile"), say("Challenge included, per path."),
        [Query(quantile(0.95, "sereno_check_duration_seconds", REGISTER, AT, by=BY), WHERE)], unit="s", step="2m",
    )  # fmt: skip
    sheet.series(
        12, say("Expiry granted"), say("How long the last registration of each path stands."),
        [Query(newest("sereno_register_expires_seconds", AT, by=BY, least=True), WHERE)], unit="s",
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        12, say("Final answers by SIP code"), say("Final answers to REGISTER a second, by their code."),
        [Query(rate("sereno_sip_responses_total", REGISTER, AT, by="code"), "{{code}}")], unit="cps", step="2m",
    )  # fmt: skip
    found = newest("sereno_finding", FINDINGS, by="kind, element, finding")
    sheet.states(
        12, say("Findings about registration"),
        say("What is said beside the verdict: refusing cores, accounts, bindings."),
        Query(found, "{{finding}} {{element}}"),
        choices=((1, say("▲ True"), POOR), (0, say("✓ Over"), GOOD)),
        nothing=say("Nothing was ever found (if «Watch» is ✓)"),
    )  # fmt: skip


def _platform(sheet: Sheet) -> None:
    say = sheet.words.text

    def traffic(what: str) -> str:
        return newest(f"sereno_traffic_{what}", 'sbc=~"$sbc"', by="sbc")

    absent = say("The topology asks the platform for no such figure, or it did not answer")
    sheet.line(8)
    sheet.series(
        12, say("Registered users"), say("As the platform's own Prometheus says, per SBC."),
        [Query(traffic("registered"), "{{sbc}}")], unit="none",
        decimals=0, nothing=absent,
    )  # fmt: skip
    sheet.series(
        12, say("Live calls"), say("As the platform's own Prometheus says, per SBC."),
        [Query(traffic("calls"), "{{sbc}}")], unit="none", decimals=0,
        nothing=absent,
    )  # fmt: skip


ABOUT = About(
    "registration", "Registration", "Can phones register, how long does it take and stand, and who refuses.",
    "now-3h", ("sbc", "core"), fill,
)  # fmt: skip
