"""Scenario 25 by `sereno replay`: both cores die on a Saturday at 03:00; one stays dead for three days."""

from streams import T0, TIMEOUT, Run, topology

from sereno.clock import SECOND_US, parse_instant

MINUTE, DAY = 60, 86_400
DIED = (parse_instant("2026-11-07T03:00-05:00") - T0) // SECOND_US
BACK = DIED + 10 * MINUTE


def a_weekend(folder, contract=None):
    """A sample every two minutes is enough: clocks are counted in hours."""
    every = {"every": "120s", "timeout": "900ms"}
    run = Run(folder, topology(
        customers={"acme": {"name": "Acme", "contract": "callmyway"}, "beta": {"name": "Beta", "contract": "wekall"}},
        sites={name: {"customer": name, "sbcs": ["sbc-1", "sbc-2"]} for name in ("acme", "beta")},
        checks={"edge": every, "options": every, "natural": every},
    ))  # fmt: skip

    def bad(check, _sbc, core, second):
        if not DIED <= second < DIED + 3 * DAY or check == "edge":
            return None
        if second < BACK:
            return TIMEOUT
        return TIMEOUT if core == "core-a" else None

    run.watch(DIED + 3 * DAY + 30 * MINUTE, bad, checks=("edge", "natural", "options"), every=120,
              since=DIED - 10 * MINUTE)  # fmt: skip
    return run.go(*(("--contract", contract) if contract else ()))


def clocks(found, customer, name):
    mine = [one for one in found["clocks"] if (one["customer"], one["clock"]) == (customer, name)]
    return [(one["priority"], one["due"], one["state"]) for one in mine]


def late(text):
    return (parse_instant(text) - T0) / SECOND_US - DIED


def test_under_both_contracts(tmp_path):
    answer = a_weekend(tmp_path)
    found = next(one for one in answer["incidents"] if one["priority_peak"] == "Urgente")
    assert (found["priority"], found["severity"]) == ("Alta", "S2")
    assert [one["number"] for one in answer["incidents"] if one["class"] == "service"] == [found["number"]]
    urgent, high = clocks(found, "acme", "solution")
    assert (urgent[0], urgent[2]) == ("Urgente", "met")
    ended = next(one["ended"] for one in found["clocks"] if one["customer"] == "acme" and one["state"] == "met")
    assert late(ended) == BACK - DIED
    assert (high[0], high[2]) == ("Alta", "missed")
    assert late(high[1]) == late(found["opened"]) + 4 * 3_600
    assert clocks(found, "acme", "attention") == [
        ("Urgente", clocks(found, "acme", "attention")[0][1], "missed"),
    ]  # fmt: skip
    # WeKall: an hour of the office, on Monday from 07:30; it promises no solution
    assert clocks(found, "beta", "attention") == [("Urgente", "2026-11-09T13:30:00.000000Z", "missed")]
    assert clocks(found, "beta", "solution") == []
    told = [(one["what"], round(late(one["at"]))) for one in answer["notifications"] if "breach" in one["what"]]
    opened = round(late(found["opened"]))
    monday = late("2026-11-09T13:30:00Z")
    assert list(dict.fromkeys(told)) == [
        ("breach_warning", opened + 2_700), ("breached", opened + 3_600),
        ("breach_warning", opened + 3 * 3_600), ("breached", opened + 4 * 3_600),
        ("breach_warning", monday - 900), ("breached", monday),
    ]  # fmt: skip


def test_everybody_under_wekall_is_first_owed_an_answer_on_monday(tmp_path):
    found = a_weekend(tmp_path, "wekall")["incidents"][0]
    assert {one["due"] for one in found["clocks"]} == {"2026-11-09T13:30:00.000000Z"}
    assert {one["clock"] for one in found["clocks"]} == {"attention"}
