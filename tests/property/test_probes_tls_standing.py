"""The held TLS standing: any history of measurements, against what the rule says."""

from hypothesis import given
from hypothesis import strategies as st

from probes.checks.tls_standing import CAPS, GRADES, Standing, below, grade, weaknesses, worst

MEASURED = st.dictionaries(st.sampled_from(sorted(CAPS)), st.sampled_from([True, False, None]))


@given(st.lists(MEASURED, max_size=20))
def test_it_drops_when_measured_weak_and_rises_only_when_measured_mended(history):
    standing, last = Standing(), {}
    for seen in history:
        before = standing
        standing = standing.after(seen)
        last |= {name: weak for name, weak in seen.items() if weak is not None}
        assert standing.weak == {name for name, weak in last.items() if weak}
        assert (standing.grade is None) == (set(last) != set(CAPS))
        if not below(before.at_most, standing.at_most) and before.at_most != standing.at_most:
            assert any(seen.get(name) is True for name in standing.weak - before.weak)
        if below(before.at_most, standing.at_most):
            assert any(seen.get(name) is False for name in before.weak - standing.weak)


@given(MEASURED)
def test_what_is_not_measured_changes_nothing(seen):
    standing = Standing().after(seen)
    assert standing.after(dict.fromkeys(CAPS)) == standing


@given(st.sets(st.sampled_from(sorted(CAPS))))
def test_the_worst_weakness_gives_the_grade(held):
    assert all(not below(CAPS[name], worst(held)) for name in held)
    assert worst(held) in GRADES


def test_facts_of_sip_over_tls_say_only_what_they_have():
    facts = {"version": "TLSv1.2", "verified": True, "days_to_expiry": 3.0}
    seen = weaknesses(facts)
    assert (seen["untrusted"], seen["expiring"], seen["tls10"], seen["weak_key"]) == (False, True, None, None)
    assert grade(facts) == "D"
    assert grade({"verified": False}) == "F"
