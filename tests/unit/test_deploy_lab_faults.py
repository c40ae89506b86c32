"""The words of `sereno lab break`, and the plan of a net: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.lab.faults import CATALOGUE, Fault, healable, healed, parse
from deploy.lab.impair import Impairment
from deploy.lab.machine import kamailio_program
from deploy.lab.plan import plan
from deploy.lab.process import LabError
from deploy.lab.proof import questions
from sereno.errors import UsageError

LAB = plan("127.5")
GOOD = {
    "core-a": Fault("core-a", "kill"),
    "sbc-2": Fault("sbc-2", "kill"),
    "core-b:freeze": Fault("core-b", "freeze"),
    "sbc-1:freeze": Fault("sbc-1", "freeze"),
    "sbc-1:503": Fault("sbc-1", "503"),
    "sbc-1/core-a:503": Fault("sbc-1", "503", core="core-a"),
    "sbc-2:503=core-b": Fault("sbc-2", "503", core="core-b"),
    "sbc-1:drop": Fault("sbc-1", "drop"),
    "sbc-1:nofailover": Fault("sbc-1", "nofailover"),
    "sbc-1:slow=1200ms": Fault("sbc-1", "slow", milliseconds=1200),
    "sbc-1:slow=2s": Fault("sbc-1", "slow", milliseconds=2000),
    "core-a:nodb": Fault("core-a", "nodb"),
    "sbc-1:oneway": Fault("sbc-1", "oneway", direction="rx"),
    "sbc-2:oneway=tx": Fault("sbc-2", "oneway", direction="tx"),
    "media:sbc-1:loss=5%,jitter=30ms": Fault(
        "sbc-1", "media", impairment=Impairment(loss_percent=5.0, jitter_us=30_000)
    ),
}


@pytest.mark.parametrize("what", GOOD)
def test_every_word_is_understood_and_spelled_back(what):
    assert parse(what, LAB) == GOOD[what]
    assert parse(GOOD[what].text, LAB) == GOOD[what]


@pytest.mark.parametrize(
    "what",
    ["", ":", "core-c", "core-a:", "core-a:503", "core-a:drop", "sbc-1:nodb", "sbc-1/core-a", "sbc-1/core-c:503",
     "sbc-1/core-a:drop", "core-a/core-b:503", "sbc-1:503=", "sbc-1:503=sbc-2", "sbc-1:drop=core-a",
     "sbc-1/core-a:freeze", "sbc-1:freeze=1", "core-a:freeze:freeze", "SBC-1"],
)  # fmt: skip
def test_other_words_list_what_can_be_broken(what):
    with pytest.raises(UsageError) as error:
        parse(what, LAB)
    assert str(error.value) == f"lab: cannot break {what!r}; can be broken: {CATALOGUE}"


@pytest.mark.parametrize("what", ["sbc-1:slow", "sbc-1:slow=", "sbc-1:slow=fast", "sbc-1:slow=1200"])
def test_slow_needs_how_slow(what):
    with pytest.raises(UsageError, match="needs how slow, such as sbc-1:slow=1200ms"):
        parse(what, LAB)


@pytest.mark.parametrize("what", ["sbc-1:slow=0ms", "sbc-1:slow=900us", "sbc-1:slow=2m"])
def test_slow_has_bounds(what):
    with pytest.raises(UsageError, match="write from 1ms to 60s"):
        parse(what, LAB)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("sbc-1:oneway=", "'sbc-1:oneway=': write sbc-1:oneway (the probe hears nothing) or sbc-1:oneway=tx"),
        ("sbc-2:oneway=up", "'sbc-2:oneway=up': write sbc-2:oneway (the probe hears nothing) or sbc-2:oneway=tx"),
        (
            "media:sbc-9:loss=5%",
            "'media:sbc-9:loss=5%': media pass an SBC, sbc-1 or sbc-2; write such as media:sbc-1:l",
        ),
        (
            "media:core-a:loss=5%",
            "'media:core-a:loss=5%': media pass an SBC, sbc-1 or sbc-2; write such as media:sbc-1",
        ),
        ("media:", "'media:': media pass an SBC, sbc-1 or sbc-2; write such as media:sbc-1:loss=5%,jitter=30ms"),
        (
            "media:sbc-2",
            "'media:sbc-2' needs what its media suffer, such as media:sbc-2:loss=5%,jitter=30ms; keys are l",
        ),
        (
            "media:sbc-2:",
            "'media:sbc-2:' needs what its media suffer, such as media:sbc-2:loss=5%,jitter=30ms; keys are l",
        ),
    ],
)
def test_words_about_media_say_how_to_write_them(what, words):
    with pytest.raises(UsageError) as error:
        parse(what, LAB)
    assert str(error.value).startswith(f"lab: {words}")
    assert "\n" not in str(error.value)


def test_what_heals_what():
    active = [parse(what, LAB) for what in ("sbc-1:503", "media:sbc-1:loss=5%", "media:sbc-2:loss=5%", "sbc-1:oneway")]
    assert healed("media:sbc-1", LAB, active) == [active[1]]
    assert healed("media:sbc-2:loss=5.0%", LAB, active) == [active[2]]
    assert healed("sbc-1", LAB, active) == [active[0], active[1], active[3]]
    assert healed("core-a", LAB, active) == []
    for what in ("media:sbc-1:loss=6%", "sbc-2:oneway", "sbc-1:oneway=tx"):
        with pytest.raises(UsageError, match="is not broken; broken now: sbc-1:503, media:sbc-1:loss=5%, media:sbc-2"):
            healed(what, LAB, active)
    healable("media:sbc-2", LAB)
    with pytest.raises(UsageError, match="media pass an SBC"):
        healable("media:sbc-3", LAB)


def test_which_fault_takes_whose_place():
    one, two, other, back, there = (
        parse(what, LAB)
        for what in (
            "media:sbc-1:loss=5%",
            "media:sbc-1:delay=5ms",
            "media:sbc-2:loss=5%",
            "sbc-1:oneway=tx",
            "sbc-1:oneway",
        )
    )
    assert two.replaces(one)
    assert not other.replaces(one)
    assert not there.replaces(back)
    assert not there.replaces(one)


PIECES = [
    "core-a",
    "sbc-1",
    "sbc-9",
    ":",
    "/",
    "=",
    "503",
    "freeze",
    "drop",
    "slow",
    "nodb",
    "1200ms",
    "media:",
    "oneway",
    "loss=5%",
    "jitter=30ms",
    ",",
    "burst=3",
    "seed=7",
    "direction=rx",
    "reorder=0.1%",
    "",
    "-",
    "ñ",
    "\0",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_is_a_fault_or_a_usage_error(what):
    try:
        fault = parse(what, LAB)
    except UsageError:
        return
    assert parse(fault.text, LAB) == fault


def test_a_net_places_everything():
    assert [one.address for one in LAB.components] == ["127.5.2.1", "127.5.2.2", "127.5.1.1", "127.5.1.2"]
    assert len(set(LAB.sockets())) == len(LAB.sockets()) == 11  # SIP, far ends, and where media relays are told


@pytest.mark.parametrize("net", ["", "127", "127.256", "127.-1", "10.0", "127.1.1", "127.1000", "127.٣", "127.01"])
def test_other_nets_are_refused(net):
    with pytest.raises(UsageError, match=r"is not a loopback net; write 127\.N with N from 0 to 255, such as 127\.5"):
        plan(net)


def named(*whats):
    return {question.name for question in questions(LAB, [parse(what, LAB) for what in whats])}


def test_what_is_proved_is_what_should_work():
    everything = named()
    assert len(everything) == 12
    gone = {"core-a far end 5070", "core-a far end 5071", "sbc-1/core-a", "sbc-2/core-a", "sbc-1 natural"}
    assert everything - named("core-a:freeze") == gone
    assert everything - named("core-a") == gone
    assert everything - named("sbc-1:drop") == {"sbc-1", "sbc-1/core-a", "sbc-1/core-b", "sbc-1 natural"}
    assert everything - named("sbc-1:503") == {"sbc-1/core-a", "sbc-1/core-b", "sbc-1 natural"}
    assert everything - named("sbc-1/core-b:503") == {"sbc-1/core-b"}
    assert everything - named("core-a:nodb", "sbc-2:nofailover") == set()


def test_without_kamailio_one_line_names_the_package(monkeypatch):
    monkeypatch.setattr("deploy.lab.machine._SBIN", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError) as error:
        kamailio_program()
    assert str(error.value) == "lab: Kamailio is not installed; apt-get install kamailio"
