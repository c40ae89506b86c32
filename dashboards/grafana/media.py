"""Medios: how calls sound, what spoils them, and whether the probe that measures is itself sound."""

from dashboards.grafana import common
from dashboards.grafana.frame import HOME, About
from dashboards.grafana.kit import BAD, GOOD, POOR, Column, Query, Sheet
from dashboards.grafana.queries import AT, RANGE, failed_ratio, increase, newest, quantile, rate, ratio, while_watched

BY = "sbc, core, direction"
WHERE = "{{sbc}}/{{core}} {{direction}}"
MOS = ((None, BAD), (3.6, POOR), (4.0, GOOD))  # the bounds of alarms mos_bad and mos_warn
CALLS = 'check="call"'
STEP = "2m"  # a test call goes every minute: less would be mostly empty


def lost_share(window: str | None = None) -> str:
    """Packets lost among those expected."""

    def counted(metric: str) -> str:
        return rate(metric, AT, by=BY) if window is None else increase(metric, AT, by=BY, window=window)

    lost = counted("sereno_rtp_lost_packets_total")
    return ratio(lost, f"{counted('sereno_rtp_packets_total')} + ({lost})")


def discarded_share(window: str | None = None) -> str:
    """Packets too late or too early for the de-jitter buffer, among those received."""

    def counted(metric: str) -> str:
        return rate(metric, AT, by=BY) if window is None else increase(metric, AT, by=BY, window=window)

    return ratio(counted("sereno_rtp_discarded_packets_total"), counted("sereno_rtp_packets_total"))


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(5)
    common.watch(sheet)
    common.data_age(sheet, 5)
    worst = say("Of the time range, on the worst path and direction.")
    for title, description, expression, unit, decimals, steps in (
        ("MOS-LQ", say("Median of the time range, on the worst path and direction; 4.41 is the best G.711 can be."),
         f"min({quantile(0.5, 'sereno_mos_lq', AT, by=BY, window=RANGE)})", "none", 2, MOS),
        (say("Worst RTP loss"), worst, f"max({lost_share(RANGE)})", "percentunit", 2,
         ((None, GOOD), (0.01, POOR), (0.03, BAD))),
        (say("Worst jitter"), worst,
         f"max({quantile(0.95, 'sereno_rtp_jitter_seconds', AT, by=BY, window=RANGE)})", "s", 4,
         ((None, GOOD), (0.03, POOR), (0.05, BAD))),
        (say("Calls: failed share"), say("Test calls that failed in the time range, on the worst path."),
         f"max({failed_ratio(CALLS, AT, by='sbc, core', window=RANGE)})", "percentunit", 1,
         ((None, GOOD), (0.01, POOR), (0.5, BAD))),
        (say("Setup time: 95th percentile"), say("From INVITE to its 200 in the time range, on the worst path."),
         f"max({quantile(0.95, 'sereno_call_setup_seconds', AT, by='sbc, core', window=RANGE)})", "s", 3,
         ((None, GOOD), (2, POOR), (4, BAD))),
    ):  # fmt: skip
        sheet.stat(3, title, description, [Query(while_watched(expression))], unit=unit, decimals=decimals, steps=steps)
    sheet.line(8)
    _table(sheet)
    _quality(sheet)
    _calls(sheet)
    _own(sheet)


def _table(sheet: Sheet) -> None:
    say = sheet.words.text
    link = f"{HOME}/paths/${{__data.fields.sbc:raw}}/${{__data.fields.core:raw}}"
    sheet.table(
        24, say("Quality by path and direction"), say("Of the time range; the worst median first."),
        [
            Query(while_watched(expression))
            for expression in (
                quantile(0.5, "sereno_mos_lq", AT, by=BY, window=RANGE),
                quantile(0.05, "sereno_mos_lq", AT, by=BY, window=RANGE),
                lost_share(RANGE),
                quantile(0.95, "sereno_rtp_jitter_seconds", AT, by=BY, window=RANGE),
                discarded_share(RANGE),
            )
        ],
        (
            Column("sbc", "SBC", link=link),
            Column("core", say("Core"), link=link),
            Column("direction", say("Direction")),
            Column("Value #A", say("MOS-LQ median"), unit="none", steps=MOS, decimals=2),
            Column("Value #B", "MOS-LQ p5", unit="none", steps=MOS, decimals=2),
            Column("Value #C", say("Loss"), unit="percentunit", decimals=2),
            Column("Value #D", "Jitter p95", unit="s", decimals=4),
            Column("Value #E", say("Discarded"), unit="percentunit", decimals=2),
        ),
        sort=say("MOS-LQ median"), descending=False,
    )  # fmt: skip


def _quality(sheet: Sheet) -> None:
    say = sheet.words.text
    bounds = ((None, BAD), (3.6, POOR), (4.0, "transparent"))
    sheet.line(8)
    sheet.series(
        12, say("MOS-LQ: median"), say("Listening quality of test calls (G.107), per path and direction."),
        [Query(quantile(0.5, "sereno_mos_lq", AT, by=BY), WHERE)], unit="none", minimum=1, maximum=4.5, decimals=2,
        steps=bounds, step=STEP,
    )  # fmt: skip
    sheet.series(
        12, say("MOS-CQ: median"),
        say("Conversational quality: the same with the delay; absent where it was not measured."),
        [Query(quantile(0.5, "sereno_mos_cq", AT, by=BY), WHERE)], unit="none", minimum=1, maximum=4.5, decimals=2,
        steps=bounds, step=STEP,
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        8, say("RTP loss"), say("Packets lost among those expected, per path and direction."),
        [Query(lost_share(), WHERE)], unit="percentunit", decimals=2, step=STEP,
    )  # fmt: skip
    sheet.series(
        8, say("Jitter: 95th percentile"),
        say("Mean interarrival jitter of each call (RFC 3550), per path and direction."),
        [Query(quantile(0.95, "sereno_rtp_jitter_seconds", AT, by=BY), WHERE)], unit="s", step=STEP,
    )  # fmt: skip
    sheet.series(
        8, say("Discarded by the de-jitter buffer"), say("Packets too late or too early to be played (RFC 7002)."),
        [Query(discarded_share(), WHERE)], unit="percentunit", decimals=2, step=STEP,
    )  # fmt: skip


def _calls(sheet: Sheet) -> None:
    say = sheet.words.text
    by = "sbc, core"
    where = "{{sbc}}/{{core}}"
    tried = increase("sereno_check_results_total", CALLS, 'outcome!="invalid"', AT, by=by, window="[1h]")

    def answered(codes: str, also: str = "") -> str:
        found = increase("sereno_sip_responses_total", CALLS, f'code=~"{codes}"', AT, by=by, window="[1h]")
        return f"clamp_max({ratio(f'({found} or {tried} * 0){also}', tried)}, 1)"

    rang = increase("sereno_check_results_total", CALLS, 'reason="no_answer"', AT, by=by, window="[1h]")
    sheet.line(8)
    sheet.series(
        8, say("Answered and effective calls"), say("ASR and NER of the last hour (E.411, E.425), of test calls."),
        [
            Query(answered("2.."), f"ASR {where}"),
            Query(answered("2..|480|486|600|603", f" + ({rang} or {tried} * 0)"), f"NER {where}"),
        ],
        unit="percentunit", maximum=1, decimals=1,
        nothing=say("No test call in the last hour, or no collector is read"),
    )  # fmt: skip
    delay = "sereno_call_post_dial_delay_seconds"
    sheet.series(
        8, say("Setup and post-dial delay"), say("95th percentiles of answered test calls (RFC 6076), per path."),
        [
            Query(quantile(0.95, "sereno_call_setup_seconds", AT, by=by), f"{say('call setup')} {where}"),
            Query(quantile(0.95, delay, AT, by=by), f"{say('post-dial')} {where}"),
        ],
        unit="s", step=STEP,
    )  # fmt: skip
    failed = increase("sereno_check_results_total", CALLS, 'outcome="failed"', AT, by="reason")
    sheet.bars(
        8, say("Failures by reason"), say("Test calls that failed in the time range, by reason."),
        [Query(f"sort_desc(({failed}) > 0)", "{{reason}}")], unit="none", steps=((None, POOR),), decimals=0,
        nothing=say("No failure in the time range (if «Watch» is ✓)"),
    )  # fmt: skip


def _own(sheet: Sheet) -> None:
    """The quality of the measuring itself: what is wrong here is not the network."""
    say = sheet.words.text
    none_lost = say("Nothing was left out (if «Watch» is ✓)")
    sheet.heading(say("The probe that measures"))
    sheet.line(7)
    sheet.series(
        8, say("Jitter at departure"),
        say("What each probe itself added to its newest test call; it needs a processor."),
        [Query(newest("sereno_probe_own_jitter_seconds", by="probe"), "{{probe}}")], unit="s",
    )  # fmt: skip
    sheet.series(
        8, say("Packets that the meter missed"), say("Lost by the sensor, not by the network."),
        [Query(rate("sereno_meter_dropped_packets_total", by="probe"), "{{probe}}")], unit="pps",
    )  # fmt: skip
    sheet.stat(
        8, say("Calls not measured"), say("Test calls of the time range whose quality counts nowhere, and why."),
        [Query(f"round({increase('sereno_calls_unmeasured_total', by='reason')})", "{{reason}}")], decimals=0,
        steps=((None, GOOD), (1, POOR)), names=True, nothing=none_lost,
    )  # fmt: skip


ABOUT = About(
    "media", "Media", "How test calls sound, what spoils them, and whether the probe that measures is sound itself.",
    "now-3h", ("sbc", "core"), fill,
)  # fmt: skip
