"""Command lines of `rtp analyze` that are read without the command library mean what the library reads in them."""

import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import sereno.cli.rtp_analyze
from sereno.cli.rtp import analyze, app
from sereno.cli.rtp_options import Asked
from sereno.cli.rtp_quick import understood

FLAGS = ("--json", "--audio", "--seconds", "--no-seconds", "--plc", "--no-plc", "--provisional")
NUMBERS = st.one_of(st.integers(0, 100_000).map(str), st.floats(0, 1e6).map(lambda value: f"{value:.4f}"))
WORDS = st.sampled_from(
    ["a.pcap", "b c.pcap", "-", "0", "96=opus/48000", "8=x/1", "fixed", "es", "out.svg", "out.html"]
)
VALUES = {
    "--plot": WORDS, "--html": WORDS, "--lang": WORDS, "--buffer": WORDS, "--map": WORDS,
    "--window": NUMBERS, "--probation": NUMBERS, "--buffer-delay": NUMBERS, "--buffer-size": NUMBERS,
    "--delay": NUMBERS,
}  # fmt: skip
STRANGE = st.sampled_from(
    ["--help", "--jso", "--", "-x", "--window=", "--window", "--json=1", "1e3", "+5", "--delay=inf"]
)


@st.composite
def options(draw):
    name = draw(st.sampled_from(sorted(VALUES)))
    value = draw(VALUES[name])
    return [f"{name}={value}"] if draw(st.booleans()) else [name, value]


PARTS = st.one_of(WORDS.map(lambda word: [word]), st.sampled_from(FLAGS).map(lambda flag: [flag]), options())
LINES = st.lists(st.one_of(PARTS, PARTS, PARTS, STRANGE.map(lambda word: [word])), max_size=8).map(
    lambda parts: [word for part in parts for word in part]
)


def by_the_library(arguments):
    """What the library hands over; None: it refuses, or says something itself."""
    taken: list[Asked] = []
    before = sereno.cli.rtp_analyze.run
    sereno.cli.rtp_analyze.run = taken.append
    try:
        CliRunner().invoke(app, ["analyze", *arguments])
    finally:
        sereno.cli.rtp_analyze.run = before
    return taken[0] if taken else None


@given(LINES)
def test_both_read_alike(arguments):
    quick = understood(arguments)
    if quick is not None:
        assert quick == by_the_library(arguments)


def test_plain_ones_are_understood():
    arguments = ["a.pcap", "--json", "--window", "5", "--map", "96=opus/48000", "--map=97=G722/8000", "--delay=12.5"]
    arguments += ["--no-plc", "-"]
    asked = understood(arguments)
    assert asked is not None
    assert asked == by_the_library(arguments)
    assert (asked.window, asked.delay, asked.plc, asked.maps) == (5, 12.5, False, ["96=opus/48000", "97=G722/8000"])


def test_every_option_is_known_to_both():
    listed = {
        name
        for parameter in typer.main.get_command(app).commands["analyze"].params  # type: ignore[attr-defined]
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name != "--help"
    }
    assert listed == {*FLAGS, *VALUES}
    assert analyze.__kwdefaults__.keys() >= {"as_json", "plot", "maps"}
    for name in sorted(listed):
        arguments = ["a.pcap", name, *([] if name in FLAGS else ["1"])]
        assert understood(arguments) == by_the_library(arguments) is not None


def test_the_rest_is_the_library_s():
    for arguments in (
        [],
        ["--json"],
        ["a", "--help"],
        ["a", "--window", "x"],
        ["a", "--delay", "-3"],
        ["a", "--", "b"],
    ):
        assert understood(arguments) is None
