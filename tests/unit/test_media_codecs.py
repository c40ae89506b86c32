"""The codec rows: what is agreed, what is provisional, and that nothing lies between."""

import json
from pathlib import Path

import pytest

import probes.media
from probes.media.codecs import is_known, listed_rows, names, plain, row_for
from probes.media.quality import UNKNOWN, assess


@pytest.mark.parametrize(
    ("codec", "ie", "bpl"),
    [
        ("G729A", 11, 19.0), ("g.729a+vad", 11, 19.0), ("G729AB", 11, 19.0), ("G729", 10, None), ("G723.1", 15, 16.1),
        ("G.723.1-5.3", 19, None), ("GSM-EFR", 5, 10), ("gsm", 20, None), ("G726-32", 7, None), ("G728", 7, None),
    ],
)  # fmt: skip
def test_agreed_rows(codec, ie, bpl):
    row = row_for(codec, plc=True)
    assert (row.ie, row.bpl, row.scale, row.provisional) == (ie, bpl, "narrowband", False)


def test_g711_rows():
    every = ("G711", "g.711", "pcma", "PCMU", "ulaw", "alaw")
    assert {row_for(name, plc=True).bpl for name in every} == {25.1}
    assert {row_for(name, plc=False).bpl for name in every} == {4.3}
    assert {row_for(name, plc=True, provisional=True).provisional for name in every} == {False}


@pytest.mark.parametrize("codec", ["opus", "iLBC", "AMR", "AMR-WB", "speex", "G723"])
def test_without_an_agreed_row_only_when_asked(codec):
    assert row_for(codec, plc=True) is None
    row = row_for(codec, plc=True, provisional=True)
    assert row.provisional
    assert row.certainty == "low"
    assert assess(codec, loss_percent=0) == UNKNOWN
    assert assess(codec, loss_percent=0, provisional=True).provisional


@pytest.mark.parametrize("codec", ["G729", "GSM", "G722", "AMR-WB-12.65", "AMR-WB-23.05", "AMR-WB-23.85"])
def test_without_an_agreed_bpl_loss_is_rated_only_when_asked(codec):
    assert assess(codec, loss_percent=0).mos_lq > 3
    assert not assess(codec, loss_percent=0).provisional
    assert assess(codec, loss_percent=1) == UNKNOWN
    asked = assess(codec, loss_percent=1, provisional=True)
    assert asked.provisional
    assert 1 < asked.mos_lq < assess(codec, loss_percent=0).mos_lq


@pytest.mark.parametrize("codec", ["telephone-event", "CN", "H264", "", "EVS", "L16", "G726", "G.999"])
@pytest.mark.parametrize("provisional", [True, False])
def test_what_has_no_row_at_all(codec, provisional):
    assert row_for(codec, plc=True, provisional=provisional) is None


def test_a_row_is_for_its_scale():
    assert row_for("G711", plc=True, scale="wideband") is None
    assert row_for("G711", plc=True, scale="wideband", provisional=True).ie == pytest.approx(129 - 93.2)
    assert row_for("G722", plc=True, scale="narrowband", provisional=True) is None


def test_known_names():
    assert all(is_known(name) for name in names())
    assert is_known("evs")
    assert not is_known("G999")
    assert not is_known("telephone-event")
    assert plain("G.729 a") == "G729A"


def test_every_row_says_where_it_is_from_and_how_sure_it_is():
    for listed in listed_rows():
        row = listed.row
        assert row.source
        assert row.scale in {"narrowband", "wideband"}
        assert row.certainty in ({"low"} if row.provisional else {"high", "medium"})
        assert 0 <= row.ie < 95
        assert row.bpl is None or row.bpl > 0


def test_no_two_rows_answer_the_same_question():
    asked = [
        (plain(name), listed.plc, listed.row.scale, listed.row.provisional)
        for listed in listed_rows()
        for name in listed.names
    ]
    assert len(asked) == len(set(asked))


def test_the_file_holds_no_key_that_nobody_reads():
    content = json.loads((Path(probes.media.__file__).parent / "data" / "codecs.json").read_text(encoding="utf-8"))
    assert set(content) == {"about", "rows", "unrated"}
    known = {"names", "plc", "scale", "ie", "bpl", "certainty", "source", "provisional"}
    assert all(set(row) <= known for row in content["rows"])


def test_unknown_is_never_guessed():
    assert assess(None, loss_percent=0) == UNKNOWN
    assert assess("PCMA", loss_percent=None) == UNKNOWN
    assert assess("G729", loss_percent=1) == UNKNOWN  # Ie 10 is agreed, robustness is not
    assert assess("G729", loss_percent=0).r_lq == pytest.approx(83.2062, abs=1e-3)


def test_the_docs_list_every_row():
    text = (Path(__file__).parents[2] / "docs" / "media.md").read_text(encoding="utf-8")
    for listed in listed_rows():
        row = listed.row
        bpl = "–" if row.bpl is None else f"{row.bpl:g}"
        certainty = "" if row.provisional else f" {row.certainty} |"
        line = f"| {'wb' if row.scale == 'wideband' else 'nb'} | {row.ie:g} | {bpl} |{certainty} {row.source} |"
        assert any(f"`{listed.names[0]}`" in given and given.endswith(line) for given in text.splitlines()), line
