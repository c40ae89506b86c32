"""Options nobody would give: `sereno mos` and `sereno rtp analyze` say in one line what is wrong, or do it."""

import json
import math
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.cli import main
from tests.media_seeds import captures

_NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-1", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "", "x", "１２", "0x10", "100", "1e5"]
    ),
    st.floats(-1000, 1000).map(repr),
)
_MOS = (
    "loss", "burst-ratio", "delay", "ie", "bpl", "telr", "echo-delay", "echo-round-trip", "wepl", "slr", "rlr", "stmr",
    "ds", "dr", "qdu", "nc", "nfor", "ps", "pr", "advantage", "delay-sensitivity", "minimum-delay",
)  # fmt: skip
_CODECS = st.one_of(st.sampled_from(["G711", "G.729A", "opus", "AMR-WB-12.65", "g722", "none"]), st.text(max_size=8))
_ANALYZE = {
    "--window": _NUMBERS, "--probation": _NUMBERS, "--buffer-delay": _NUMBERS, "--buffer-size": _NUMBERS,
    "--delay": _NUMBERS, "--buffer": st.sampled_from(["fixed", "none", "adaptive", "", "x"]),
    "--map": st.sampled_from(["96=opus/48000", "128=x/8000", "0=PCMU", "=/", "1=a/b", "96=opus/0", "\u0661=x/8000"]),
}  # fmt: skip
_quickly = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def run(monkeypatch, capfd):
    """The command in this process: its output, where it had one."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["sereno", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert (ended.value.code or 0) in {0, 2, 3}, err
        assert "Traceback" not in err
        assert len(err.splitlines()) <= 1, err
        assert out or err
        return out if not ended.value.code else None

    return command


@_quickly
@given(st.dictionaries(st.sampled_from(_MOS), _NUMBERS, max_size=4), _CODECS, st.sampled_from(["auto", "wideband"]))
def test_mos(run, numbers, codec, scale):
    options = [f"--{name}={value}" for name, value in numbers.items()]
    out = run("mos", f"--codec={codec}", f"--scale={scale}", *options, "--json")
    if out is None:
        return
    said = json.loads(out, parse_constant=pytest.fail)
    for name, value in said.items():
        assert not isinstance(value, float) or math.isfinite(value), name
        assert not name.startswith("mos_") or value is None or not isinstance(value, float) or 1 <= value <= 4.5


@_quickly
@given(st.lists(st.sampled_from(sorted(_ANALYZE)), max_size=3), st.data())
def test_analyze(run, tmp_path, names, data):
    path = tmp_path / "some.pcap"
    path.write_bytes(captures()["pcap_mixed"])
    options = [f"{name}={data.draw(_ANALYZE[name])}" for name in names]
    out = run("rtp", "analyze", str(path), "--json", *options)
    if out is not None:
        assert "streams" in json.loads(out, parse_constant=pytest.fail)
