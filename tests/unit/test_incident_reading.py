"""The evidence, kept in the desk's language, for readers of another one."""

import msgspec
import pytest
from alerting_bench import Bench

from sereno.incident.reading import witnessed


@pytest.mark.parametrize(
    ("kept", "english"),
    [
        ("motivo timeout", "reason timeout"),
        (
            "motivo x; contestó core-a; código SIP 503; planos caídos: call, registration",
            "reason x; answered by core-a; SIP code 503; planes down: call, registration",
        ),
        (
            "Por el motivo que sea; A severity=page; guía: https://x/{y}; visto en http://p/g",
            "Por el motivo que sea; A severity=page; guide: https://x/{y}; seen at http://p/g",
        ),
        (None, ""),
    ],
)
def test_our_words_of_it_are_said_in_english_and_others_stay(tmp_path, kept, english):
    bench = Bench(tmp_path)
    bench.down(0, "sbc-1/core-a", "sbc-2/core-a", "core-a")
    bench.tick(5)
    record = msgspec.structs.replace(bench.one(), evidence=kept)
    assert witnessed(record, "en_US") == english
    assert witnessed(record, "es_CO") == (kept or "")
