"""Whatever Grafana holds, the steps lead to exactly the marks that ought to be there; then there is nothing to do."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.grafana.marks import Mark, steps

OWN = st.sampled_from([f"sereno:voz:incident:{number}" for number in range(1, 5)])
TIMES = st.integers(1, 9)
MARKS = st.lists(
    st.builds(
        Mark, own=OWN, kind=st.just("incident"), from_ms=TIMES, until_ms=st.none() | TIMES.map(lambda one: one + 10),
        text=st.sampled_from(["a", "b"]), tags=st.sampled_from([(), ("Alta",)]), gone=st.booleans(),
    ),
    unique_by=lambda mark: mark.own,
)  # fmt: skip
STRANGERS = st.sampled_from([["deploy"], ["sereno"], ["sereno", "sereno:other:incident:1"], None])
FOUND = st.lists(
    st.fixed_dictionaries(
        {
            "time": TIMES, "timeEnd": st.none() | st.integers(0, 20), "text": st.sampled_from(["a", "b", ""]),
            "tags": STRANGERS | OWN.map(lambda own: ["sereno", "incident", own]),
        }
    ),
    max_size=8,
)  # fmt: skip


def written(mark):
    """As `push` writes it: what goes on is a point."""
    until = mark.from_ms if mark.until_ms is None else mark.until_ms
    return {"time": mark.from_ms, "timeEnd": until, "text": mark.text, "tags": mark.all_tags()}


@given(MARKS, FOUND)
def test_the_steps_lead_to_what_ought_to_be(wanted, found):
    there = dict(enumerate(found))
    todo = steps(wanted, [one | {"id": number} for number, one in there.items()])
    ours = {mark.own for mark in wanted}
    strangers = [one for one in found if not ours & set(one["tags"] or ())]
    for number in todo.delete:
        del there[number]
    for number, mark in todo.update:
        there[number] = written(mark)
    after = [*there.values(), *(written(mark) for mark in todo.create)]
    standing = [one for one in after if ours & set(one["tags"] or ())]
    staying = [mark for mark in wanted if not mark.gone]
    assert sorted(map(told, standing)) == sorted(told(written(mark)) for mark in staying)
    assert [one for one in after if one not in standing] == strangers
    again = steps(wanted, [one | {"id": number} for number, one in enumerate(after)])
    assert (again.create, again.update, again.delete, again.unchanged) == ([], [], [], len(staying))


def told(one):
    """A point may be said in two ways: without an end, or ending where it begins."""
    return one["time"], one["timeEnd"] or one["time"], one["text"], sorted(one["tags"])
