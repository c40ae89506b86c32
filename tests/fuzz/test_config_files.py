"""Any bytes are a topology, a desk or a contract, or the one documented error in one line; nothing else."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.clock import parse_duration
from sereno.contract import Contract, parse_contract
from sereno.contract.load import shipped
from sereno.desk import Desk, parse_desk
from sereno.errors import ConfigError
from sereno.topology import Topology, parse_topology, topology_from_json
from sereno.topology.address import check_canary, parse_sip
from sereno.yamlfile import Document, parse_document

DATA = Path(__file__).resolve().parents[1] / "data"
PARSERS = {"topology": (parse_topology, Topology), "desk": (parse_desk, Desk), "contract": (parse_contract, Contract)}
SEEDS = {
    kind: [file.read_bytes() for file in sorted(DATA.glob(f"valid/{kind}-*.yaml"))]
    + [file.read_bytes() for file in sorted(DATA.glob(f"invalid/{kind}/*.yaml")) if file.stat().st_size < 3_000]
    for kind in PARSERS
}
# what YAML and people make surprising values of
TOKENS = [
    b"~", b"{}", b"[]", b"''", b"0", b"-1", b"1e999", b".nan", b".inf", b"0x" + b"f" * 40, b"9" * 30, b"19:00", b"yes",
    b"2026-13-01", b"2026-01-01T00:00:00", b"!!binary aGk=", b"!!timestamp x", b"!!bool x", b"!!int ''", b"!!float x",
    b"!!set {a}", b"!foo bar", b"&a", b"*a", b"<<: ", b"? ", b"- ", b": ", b"\n", b"  ", b"\t", b"\0", b"\xff", b"{",
    b"}", b"[", b"]", b",", b"'", b'"', b"|\n", b">\n", b"---\n", b"%YAML 9.9\n", b"\xe2\x80\xa8",
    b"1d1d", b"9" * 400 + b"d", b"sip:", b"24x7", b"mon-sun", b"\xef\xbb\xbf",
]  # fmt: skip


@st.composite
def spoiled(draw, seeds):
    raw = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(raw)))
        end = draw(st.integers(begin, min(len(raw), begin + 40)))
        raw[begin:end] = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)))
    return bytes(raw)


def parses_or_refuses(parse, kind, raw):
    try:
        assert isinstance(parse("file.yaml", raw), kind)
    except ConfigError as error:
        text = str(error)
        assert text.startswith("file.yaml")
        assert text.isprintable(), text
        assert len(text) < 2_000


@pytest.mark.parametrize("name", PARSERS)
def test_spoiled_files(name):
    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(spoiled(SEEDS[name]))
    def run(raw):
        parses_or_refuses(*PARSERS[name], raw)

    run()


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("token", TOKENS)
def test_every_value_may_be_any_token(name, token):
    """Each line of a right file with its last value replaced."""
    lines = SEEDS[name][0].split(b"\n")
    for index, line in enumerate(lines):
        head, mark, _ = line.partition(b": ")
        if mark:
            raw = b"\n".join([*lines[:index], head + mark + token, *lines[index + 1 :]])
            parses_or_refuses(*PARSERS[name], raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw):
    for parse, kind in PARSERS.values():
        parses_or_refuses(parse, kind, raw)
    parses_or_refuses(parse_document, Document, raw)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*Topology.model_fields, "x"]), plain, max_size=5))
def test_any_json(data):
    with contextlib.suppress(ConfigError):
        assert isinstance(topology_from_json(data), Topology)


@settings(deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"sips?:[a-z@.:;=0-9\[\]]{0,20}", fullmatch=True))
def test_any_address(text):
    for parse in (parse_sip, check_canary):
        with contextlib.suppress(ValueError):
            parse(text)


@settings(deadline=None)
@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{1,400}(us|ms|s|m|h|d)", fullmatch=True))
def test_any_duration(text):
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


def test_what_was_loaded_can_be_written_and_loaded_again():
    for raw in SEEDS["topology"][:4]:
        data = yaml.safe_load(raw)
        again = yaml.safe_dump(data, allow_unicode=True, default_flow_style=False).encode()
        assert parse_topology("a", again) == parse_topology("b", raw)
    assert shipped()
