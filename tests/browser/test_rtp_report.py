"""The report of `sereno rtp analyze --html` as a browser shows it: quiet, without network, within a phone's width."""

import re

import pytest

from probes.media.analysis import Analysis, Wanted
from probes.media.pictures.gallery import Gallery
from probes.media.pictures.page import render
from probes.media.pictures.words import Words
from tests.media_captures import DST, SRC, rtp_pcap, stream
from tests.media_streams import Plan, arrivals_of


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    bad = [sent.packet for sent in arrivals_of(Plan(3, packets=3000, loss=0.02, burst=80, jitter_ms=60))]
    back = stream(2800, ssrc=9, src=DST, dst=SRC)
    other = stream(900, ssrc=77, src=("10.9.0.5", 4000), payload_type=97)
    capture = folder / "calls.pcap"
    capture.write_bytes(rtp_pcap(sorted([*bad, *back, *other], key=lambda packet: packet.at_ns)))
    analysis = Analysis(capture, Wanted(delay_ms=120))
    kept = Gallery(100, 100)
    kept.take(analysis)
    path = folder / "report.html"
    path.write_text(render(kept, [analysis.about()], Words("es", "America/Bogota"), analysis.wanted), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1280, 900), ("phone", 390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_is_shown(report, page, keep, name, width, height, scheme):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    assert page.errors == []
    assert asked == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("article").count() == 3
    assert page.locator("article svg").count() == 3
    # Pictures are seen: every text of them is within its box, and no lane is empty.
    for picture in page.locator("article svg").all():
        box = picture.bounding_box()
        for text in picture.locator("text").all():
            inner = text.bounding_box()
            assert box["x"] - 1 <= inner["x"], text.text_content()
            assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1, text.text_content()
    assert page.locator("article").first.locator(".p-line-jitter").first.get_attribute("d")
    keep(f"rtp-report-{name}-{scheme}")


def test_the_rows_lead_to_their_streams(report, page):
    page.goto(report.as_uri())
    page.locator("tbody a").nth(1).click()
    assert page.url.endswith("#s2")
    assert page.locator("#s2 h3").is_visible()


def test_it_prints(report, page, tmp_path):
    page.goto(report.as_uri())
    printed = tmp_path / "report.pdf"
    page.pdf(path=printed, format="Letter")
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) in range(2, 9)
