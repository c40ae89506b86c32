"""`alarms.yaml`, whatever is in it: it parses, or raises ConfigError in one line, nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.alarms import Alarms, parse_alarms
from sereno.errors import ConfigError

words = st.sampled_from([
    "alarms:", " a:", " {", "}", "[", "]", "kind: core", "what: verdict", "states: [down]", "for: 5s", "for: -1s",
    "measure: mos_lq", "measure: x", "scope: sbc", "scope: [sbc, path]", "by: codec", "aggregate: p50", "over: 5m",
    "over: {samples: 5}", "above: 3", "below: .inf", "clear: -1", "clear_over: 1h", "min_samples: 2", "or: [",
    "flapping:", "falls: 2", "states: true", "title: '{'", "english: {", "urgency: alto", "impact: organizacion",
    "page: true", "first_step: x", ", ", "\n", "  ", "&a", "*a", "? ", "- ",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(words, max_size=25).map(lambda parts: "".join(parts).encode())))
def test_it_parses_or_says_why(raw: bytes) -> None:
    said = None
    try:
        assert isinstance(parse_alarms("alarms.yaml", raw), Alarms)
    except ConfigError as error:
        said = str(error)
    assert said is None or len(said.splitlines()) == 1
