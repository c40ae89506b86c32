"""`sereno mos`: its numbers, its refusals, and unknown as an answer."""

import json

import pytest
from typer.testing import CliRunner

from sereno.cli.mos import app
from sereno.errors import UsageError

KEYS = ["r_lq", "mos_lq", "r_cq", "mos_cq", "codec", "ie_eff", "id", "scale", "provisional", "source", "certainty"]


def _mos(*arguments):
    return CliRunner().invoke(app, list(arguments))


def _fields(*arguments):
    result = _mos(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json():
    fields = _fields("--codec", "G711", "--plc", "--loss", "1", "--burst-ratio", "1", "--delay", "100")
    assert list(fields) == KEYS
    assert fields["r_lq"] == fields["r_cq"] == pytest.approx(89.566, abs=1e-3)  # a delay of 100 ms costs nothing
    assert fields["mos_lq"] == pytest.approx(4.328, abs=1e-3)
    assert fields["ie_eff"] == pytest.approx(3.640, abs=1e-3)
    assert fields["id"] == pytest.approx(0.149, abs=1e-3)
    assert (fields["codec"], fields["scale"], fields["provisional"]) == ("G711", "narrowband", False)
    assert fields["certainty"] == "high"


@pytest.mark.parametrize("codec", ["g711", "G.711", "pcmu", "PCMA", "ulaw"])
def test_a_codec_by_any_of_its_names(codec):
    assert _fields("--codec", codec)["mos_lq"] == pytest.approx(4.4094, abs=1e-4)


@pytest.mark.parametrize(
    ("option", "better", "worse"),
    [
        ("--slr", "8", "20"), ("--rlr", "2", "15"), ("--qdu", "1", "14"), ("--nc", "-70", "-40"),
        ("--nfor", "-64", "-40"), ("--ps", "35", "85"), ("--pr", "35", "85"), ("--wepl", "110", "5"),
        ("--stmr", "15", "5"), ("--ds", "3", "-3"), ("--dr", "3", "-3"), ("--telr", "65", "20"),
        ("--echo-delay", "20", "100"),
        ("--echo-round-trip", "20", "400"), ("--advantage", "5", "0"),
        ("--delay-sensitivity", "1", "0.4"), ("--minimum-delay", "150", "100"),
        ("--delay", "150", "300"), ("--loss", "1", "2"), ("--burst-ratio", "1", "2"), ("--ie", "1", "2"),
        ("--bpl", "25", "4"),
    ],
)  # fmt: skip
def test_every_input_of_the_model_is_heard(option, better, worse):
    # A loud room, so that the noise a D-value lets in is heard too.
    rest = ["--codec", "G711", "--loss", "1", "--delay", "200", "--telr", "60", "--ps", "60", "--pr", "60"]
    if option in rest:
        index = rest.index(option)
        del rest[index : index + 2]
    good, bad = (_fields(*rest, option, value)["r_cq"] for value in (better, worse))
    assert good > bad


def test_echo_is_that_of_g107_at_the_delays_given():
    # Ta = T = 150, Tr = 300 and TELR 65, as others evaluated G.107: R = 89.539132.
    by_default = _fields("--codec", "G711", "--delay", "150", "--telr", "65")
    spelled = ("--delay", "150", "--echo-delay", "150", "--echo-round-trip", "300")
    assert by_default["r_cq"] == _fields("--codec", "G711", *spelled)["r_cq"] == pytest.approx(89.539132, abs=2e-6)
    assert by_default["r_lq"] == pytest.approx(93.206208, abs=2e-6)


def test_losses_more_even_than_random_count_as_random():
    even, random = (_fields("--codec", "G711", "--loss", "3", "--burst-ratio", ratio) for ratio in ("0.97", "1"))
    assert even == random


def test_a_codec_of_ones_own():
    fields = _fields("--ie", "5", "--bpl", "12", "--loss", "2")
    assert fields["ie_eff"] == pytest.approx(5 + 90 * 2 / 14)
    assert (fields["codec"], fields["scale"], fields["source"]) == (None, "narrowband", "given by the user")
    assert _fields("--ie", "5", "--scale", "wideband")["r_lq"] == 124
    assert _fields("--codec", "mine", "--ie", "5")["codec"] == "mine"
    assert _fields("--codec", "G729", "--bpl", "19", "--loss", "1")["ie_eff"] == pytest.approx(10 + 85 / 20)


def test_wideband():
    fields = _fields("--codec", "AMR-WB-12.65")
    assert (fields["r_lq"], fields["scale"]) == (116, "wideband")
    assert fields["mos_lq"] == pytest.approx(4.3371, abs=1e-4)
    assert "wideband scale" in _mos("--codec", "AMR-WB-12.65").stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--codec", "opus"), "no agreed Ie; there is one for --provisional, which uses figures that are not G.113's"),
        (("--codec", "G729", "--loss", "1"), "none at 1 % of it; there is one for G729A, --provisional"),
        (("--codec", "AMR-WB", "--loss", "1"), "there is one for AMR-WB-12.65-diotic, AMR-WB-23.05-diotic"),
        (("--codec", "G711", "--scale", "wideband"), "no agreed Ie on the wideband scale; there is one for --prov"),
        (("--codec", "EVS", "--provisional"), "EVS: no agreed Ie\n"),
    ],
)
def test_unknown_is_null_and_status_3_and_says_why(arguments, why):
    plain = _mos(*arguments)
    assert plain.exit_code == 3
    assert plain.stdout.endswith(": unknown\n")
    assert why in plain.stderr
    said = _mos(*arguments, "--json")
    assert said.exit_code == 3
    assert {value for key, value in json.loads(said.stdout).items() if key not in {"codec", "provisional"}} == {None}
    assert why in said.stderr


def test_provisional_is_marked_in_words_and_in_json():
    fields = _fields("--codec", "opus", "--provisional", "--loss", "1")
    assert (fields["provisional"], fields["certainty"]) == (True, "low")
    assert fields["mos_lq"] > 1
    lines = _mos("--codec", "opus", "--provisional").stdout.splitlines()
    assert lines[1].startswith("provisional: no ITU-T row")
    agreed = _mos("--codec", "G711", "--provisional").stdout
    assert "provisional" not in agreed
    assert _fields("--codec", "G711", "--provisional")["provisional"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--codec", "G792"), "--codec 'G792': no such codec; did you mean G729"),
        (("--codec", "G711A"), "did you mean G711"),
        (("--codec", "\N{SNOWMAN}"), "no such codec; known are"),
        ((), "--codec: missing"),
        (("--codec", "telephone-event"), "no such codec"),
        (("--bpl", "4"), "--bpl: needs --ie too"),
        (("--codec", "opus", "--bpl", "4"), "--bpl: needs --ie too"),
        (("--codec", "G711", "--loss", "101"), "--loss 101: must be 0 to 100 percent"),
        (("--codec", "G711", "--loss", "nan"), "--loss nan: must be 0 to 100 percent"),
        (("--codec", "G711", "--delay", "-1"), "--delay -1: must be 0 to 60000 ms"),
        (("--codec", "G711", "--delay", "inf"), "--delay inf"),
        (("--codec", "G711", "--burst-ratio", "0"), "--burst-ratio 0: must be 0.001 to 1000 (1 is random loss)"),
        (("--codec", "G711", "--qdu", "0"), "--qdu 0: must be 0.001 to 1000 units"),
        (("--ie", "96"), "--ie 96: must be 0 to 95"),
        (("--ie", "5", "--bpl", "0"), "--bpl 0: must be 0.001 to 1000"),
        (("--codec", "G722", "--telr", "50"), "the wideband scale takes --codec, --loss, --burst-ratio and --delay"),
        (("--codec", "G722", "--echo-delay", "1"), "the wideband scale takes"),
        (("--codec", "G722", "--slr", "9"), "the wideband scale takes"),
    ],
)
def test_refuses(arguments, message):
    result = _mos(*arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


@pytest.mark.parametrize("loss", ["0", "100"])
@pytest.mark.parametrize("ratio", ["1", "1000"])
@pytest.mark.parametrize("delay", ["0", "60000"])
def test_the_ends_of_the_ranges_are_numbers(loss, ratio, delay):
    fields = _fields("--codec", "G711", "--loss", loss, "--burst-ratio", ratio, "--delay", delay, "--telr", "0")
    assert 1 <= fields["mos_cq"] <= fields["mos_lq"] <= 4.5


def test_the_defaults_are_in_the_help():
    said = _mos("--help").stdout
    for default in ("110.0", "15.0", "-70.0", "-64.0", "100.0", "auto"):
        assert f"[default: {default}]" in " ".join(said.split())
