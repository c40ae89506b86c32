"""Pictures and reports: their numbers are the series', their words the reader's, and no capture writes HTML."""

import re
import struct
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from probes.media.analysis import Analysis, Wanted
from probes.media.pictures import details, gallery, page, sheet
from probes.media.pictures.gallery import Gallery, titled
from probes.media.pictures.panel import Shape, draw
from probes.media.pictures.png import PictureError, png
from probes.media.pictures.scale import clock, round_up, time_ticks
from probes.media.pictures.series import series_of, window_for
from probes.media.pictures.words import Words
from probes.media.printable import printable
from tests.media_captures import DST, SRC, START_NS, ethernet, frame, pcap, rtp_pcap, stream, udp4
from tests.media_streams import Plan, arrivals_of
from tests.rtcp_packets import block, bye, rr, sdes, sr

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert(1)</script>\"'&]]>\u202e\x07"


def parsed(svg):
    return ET.fromstring(svg)  # noqa: S314 - ours


@pytest.fixture(scope="module")
def words():
    return Words("es", "America/Costa_Rica")


def analysed(tmp_path, data, **wanted):
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    return Analysis(path, Wanted(**wanted))


def shown(analysis, most=60):
    kept = Gallery(most, most)
    kept.take(analysis)
    return kept


@pytest.fixture
def troubled(tmp_path):
    plan = Plan(7, packets=1500, loss=0.02, burst=60, jitter_ms=40)
    return shown(analysed(tmp_path, rtp_pcap([sent.packet for sent in arrivals_of(plan)])))


def test_the_series_drawn_is_the_series_measured(tmp_path):
    plan = Plan(7, packets=1500, loss=0.02, burst=60, jitter_ms=40)
    analysis = analysed(tmp_path, rtp_pcap([sent.packet for sent in arrivals_of(plan)]))
    seconds = analysis.meter.seconds(int(analysis.meter.snapshot()[0]["id"]))
    (fields,) = shown(analysis).listed
    series = series_of(fields, 1)
    assert list(series.second) == seconds["second"].tolist()
    assert series.jitter_max_ms == pytest.approx(1000 * seconds["jitter_max"], rel=1e-5)
    assert series.jitter_mean_ms == pytest.approx(1000 * seconds["jitter_mean"], rel=1e-5)
    sent = seconds["packets"] + seconds["lost"]
    assert series.lost_percent == pytest.approx(100 * seconds["lost"] / sent)
    assert series.discarded_percent == pytest.approx(100 * seconds["discarded"] / sent)
    assert series.burst == tuple((seconds["flags"] == 1).tolist())
    assert [begin for begin, _ in series.bursts][:1] == [int(seconds["second"][seconds["flags"] == 1][0])]


@pytest.mark.parametrize("width", [240, 560])
@pytest.mark.parametrize(
    ("payload_type", "provisional", "marks"),
    [
        (0, True, ""),
        (3, False, ""),
        (3, True, " · provisional"),
        (9, False, " · banda ancha"),
        (9, True, " · banda ancha · provisional"),
    ],
)
def test_a_drawn_mos_is_marked_however_narrow(tmp_path, words, payload_type, provisional, marks, width):
    data = pcap([frame(sent) for sent in stream(200, payload_type=payload_type)])
    (fields,) = shown(analysed(tmp_path, data, provisional=provisional)).listed
    assert fields["mos_lq"] is not None
    drawn = "".join(draw(titled(fields, words), Shape(width, (60, 40, 50)), words))
    texts = [one.text for one in parsed(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>').iter(f"{SVG}text")]
    assert [text for text in texts if text.startswith("MOS-LQ (")] == [f"MOS-LQ (1 a 4,5){marks}"]


@pytest.mark.parametrize(
    ("payload_type", "buffer", "said"),
    [(0, "adaptive", "nada perdido ni descartado"), (0, "none", "nada perdido"), (96, "adaptive", "nada perdido")],
)
def test_no_discards_are_told_of_where_no_buffer_judged(tmp_path, words, payload_type, buffer, said):
    data = pcap([frame(sent) for sent in stream(200, payload_type=payload_type)])
    (fields,) = shown(analysed(tmp_path, data, buffer=buffer)).listed
    drawn = "".join(draw(titled(fields, words), Shape(560, (60, 40, 50)), words))
    assert f">{said}<" in drawn


def test_what_is_drawn_stands_where_its_numbers_say(troubled, words):
    (fields,) = troubled.listed
    stream_drawn = titled(fields, words)
    series = stream_drawn.series
    shape = Shape(560, (100, 100, 70), head=60)
    root = parsed(f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(draw(stream_drawn, shape, words))}</svg>')
    left, right = 50, 560 - 14
    second = (right - left) / series.end

    def paths(name):
        return [path.get("d") for path in root.iter(f"{SVG}path") if path.get("class") == name]

    # Loss: one bar for each second with some, as high as its share of the axis.
    bars = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)h([\d.]+)", paths("p-lost")[0])
    lossy = [(at, lost) for at, lost in zip(series.second, series.lost_percent, strict=True) if lost]
    top = 60 + 100 + 20
    highest = min(
        100.0, round_up(max(a + b for a, b in zip(series.lost_percent, series.discarded_percent, strict=True)))
    )
    assert len(bars) == len(lossy)
    for (x, bottom, level, width), (at, lost) in zip(bars, lossy, strict=True):
        assert float(x) == pytest.approx(left + at * second, abs=0.06)
        assert float(width) == pytest.approx(second, abs=0.06)
        assert float(bottom) == pytest.approx(top + 100, abs=0.06)
        assert float(bottom) - float(level) == pytest.approx(max(1, 100 * lost / highest), abs=0.11)
    # Jitter: the line's levels, second by second.
    levels = [float(level) for level in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", paths("p-line-jitter")[0])]
    scale = round_up(max(value for value in series.jitter_max_ms if value is not None))
    expected = [60 + 100 * (1 - value / scale) for value in series.jitter_mean_ms if value is not None]
    assert levels == pytest.approx(expected, abs=0.06)
    # MOS likewise, from 1 to 4.5.
    levels = [float(level) for level in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", paths("p-line-mos")[0])]
    expected = [300 + 70 * (1 - (value - 1) / 3.5) for value in series.mos if value is not None]
    assert levels == pytest.approx(expected, abs=0.06)
    # Bursts: through all three.
    marks = [mark for mark in root.iter(f"{SVG}rect") if mark.get("class") == "p-burst"]
    assert [float(mark.get("x")) for mark in marks] == pytest.approx(
        [left + at * second for at, _ in series.bursts], abs=0.06
    )
    assert {(mark.get("y"), mark.get("height")) for mark in marks} == {("60", "310")}


def test_a_gap_breaks_the_line(tmp_path, words):
    packets = [*stream(100), *(p for p in stream(600)[400:])]
    kept = shown(analysed(tmp_path, rtp_pcap(packets)))
    series = titled(kept.listed[0], words).series
    assert series.second[-1] == 11
    text = "".join(draw(titled(kept.listed[0], words), sheet.ALONE, words))
    (line,) = re.findall(r'p-line-jitter" d="([^"]+)"', text)
    assert line.count("M") == 2


def test_an_hour_is_drawn_in_windows():
    assert [window_for(duration) for duration in (0.4, 399, 401, 3700, 86_400, 1e9)] == [1, 1, 2, 10, 300, 2_502_000]
    assert window_for(3700, least=7) == 10
    assert window_for(10, least=7) == 7
    assert clock(3700, 3700) == "1:01:40"
    assert len(time_ticks(1e9, 8)) <= 9
    assert [round_up(value) for value in (0, 0.013, 0.9, 1, 7.2, 61)] == [1, 0.02, 1, 1, 8, 80]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 1), (8, 2), (40, 3)])
def test_sheets_of_any_number(tmp_path, words, count, columns):
    packets = [p for ssrc in range(count) for p in stream(20, ssrc=ssrc, src=("10.9.0.1", 1000 + ssrc))]
    kept = shown(analysed(tmp_path, rtp_pcap(sorted(packets, key=lambda packet: packet.at_ns))))
    panels = [titled(fields, words, number=at) for at, fields in enumerate(kept.listed, 1)]
    svg = sheet.sheet(panels, words, title="a.pcap")
    root = parsed(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    places = [re.findall(r"[\d.]+", group.get("transform")) for group in root.findall(f"{SVG}g")[1:]]
    assert len(places) == count
    assert len({x for x, _ in places}) == columns
    assert all(float(x) < width and float(y) + 150 < height for x, y in places)
    assert "media screen and (prefers-color-scheme:dark)" in svg


def test_a_png_is_the_svg_twice_as_sharp(troubled, words):
    svg = sheet.sheet([titled(troubled.listed[0], words)], words, title="a.pcap", dark=False)
    root = parsed(svg)
    octets = png(svg)
    assert octets[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", octets[16:24]) == (2 * int(root.get("width")), 2 * int(root.get("height")))


def test_without_a_font_there_is_no_png(monkeypatch, tmp_path):
    monkeypatch.setattr("probes.media.pictures.png._FONTS", tmp_path)
    with pytest.raises(PictureError, match=r"sudo apt-get install fonts-dejavu-core, or plot to \.svg"):
        png("<svg/>")


def sip(**headers):
    """An answer that announces DST, with whatever it is told in its headers and its map."""
    body = (
        "v=0\r\no=- 1 1 IN IP4 10.9.0.2\r\ns=-\r\nc=IN IP4 10.9.0.2\r\nt=0 0\r\n"
        f"m=audio {DST[1]} RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\na=ptime:20\r\n"
    )
    head = {"Via": "SIP/2.0/UDP 10.9.0.2", "Call-ID": "1", "From": "<sip:a@x>", "To": "<sip:b@x>", "CSeq": "1 INVITE"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**head, **headers}.items())
    return (
        f"SIP/2.0 200 OK\r\n{lines}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )


def with_sip(**headers):
    packets = stream(300, payload_type=96, step=960)
    said = ethernet(udp4(("10.9.0.2", 5060), ("10.9.0.1", 5060), sip(**headers)))
    return pcap([(packets[0].at_ns - 10_000_000, said), *(frame(packet) for packet in packets)])


class Checked(HTMLParser):
    """Every element opened is closed, and what elements and attributes there are."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.attributes, self.text = [], set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def rendered(analysis, words):
    kept = shown(analysis)
    html = page.render(kept, [analysis.about()], words, analysis.wanted)
    checked = Checked()
    checked.feed(html)
    checked.close()
    assert not checked.open
    return html, checked


@pytest.mark.parametrize("header", ["Call-ID", "From", "To"])
def test_no_capture_writes_html(tmp_path, words, header):
    # Angle brackets end a URI.
    evil = EVIL if header == "Call-ID" else "<sip:" + EVIL.replace("<", "(").replace(">", ")") + ">"
    analysis = analysed(tmp_path, with_sip(**{header: evil}))
    html, checked = rendered(analysis, words)
    assert "script" not in checked.elements
    assert not {name for name in checked.attributes if name.startswith("on")}
    assert "alert(1)" in "".join(checked.text)
    assert "\u202e" not in html
    assert "\x07" not in html


def test_no_file_name_writes_html_or_svg(tmp_path, words):
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    analysis = analysed(folder, rtp_pcap(stream(100)))
    _, checked = rendered(analysis, words)
    assert "img" not in checked.elements
    panels = [titled(fields, words, named=True) for fields in [{**shown(analysis).listed[0], "file": str(folder)}]]
    root = parsed(sheet.sheet(panels, words, title=f"{folder}\x00\ud800"))
    assert any("onerror" in (text.text or "") for text in root.iter(f"{SVG}text"))
    assert printable("a\x00b\ud800c\u202ed\u00a0e") == "a\ufffdb\ufffdc\ufffdd\u00a0e"


def test_the_report_needs_no_network(tmp_path, words):
    html, checked = rendered(analysed(tmp_path, rtp_pcap(stream(100))), words)
    assert not checked.elements & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not checked.attributes & {"src", "srcset", "action"}
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html


def test_the_report_says_what_was_measured(tmp_path, words):
    there = [packet for at, packet in enumerate(stream(3000)) if at not in {10, 11, 500}]
    back = stream(2000, ssrc=9, src=DST, dst=SRC)
    analysis = analysed(tmp_path, rtp_pcap(sorted([*there, *back], key=lambda packet: packet.at_ns)), delay_ms=150)
    html, checked = rendered(analysis, words)
    text = re.sub(r"\s+", " ", " ".join(checked.text))
    assert '<html lang="es">' in html
    assert "2 flujos" in text
    assert "perdidos: 3 de 5 000" in text
    assert "0,06 %" in text  # decimal comma
    assert "14 nov 2023, 16:13:20" in text  # in Costa Rica
    assert "hora estándar central (UTC-06:00)" in text
    assert "PCMA (por RFC 3551)" in text
    worst = analysis.stream(0) if analysis.stream(0)["lost"] else analysis.stream(1)
    assert words.number(worst["mos_lq"], 2) in text
    assert words.number(worst["mos_cq"], 2) in text


def test_the_call_is_told(tmp_path, words):
    html, _ = rendered(analysed(tmp_path, with_sip(**{"Call-ID": "7f@x", "From": "<sip:ana@x>;tag=1"})), words)
    assert "7f@x" in html
    assert "sip:ana@x" in html
    assert "opus (por SDP)" in html
    assert "sin MOS: G.113 no tiene valores para opus" in html


def test_rtcp_and_audio_are_told(tmp_path, words):
    packets = stream(500, ssrc=0xABC)
    at = packets[100].at_ns
    ntp = (START_NS // 10**9 + 2_208_988_800) << 32
    there, back = ((*SRC[:1], SRC[1] + 1), (*DST[:1], DST[1] + 1)), ((*DST[:1], DST[1] + 1), (*SRC[:1], SRC[1] + 1))
    report = sr(0xABC, ntp, 16000, 100, 16000)
    answer = rr(0xDEF, block(0xABC, fraction=64, lost=25, highest=1100, jitter=80, lsr=ntp >> 16 & 0xFFFFFFFF))
    leaving = sr(0xABC, ntp, 16000, 100, 16000) + bye(0xABC, reason=b"<b onload=x>&")
    told = [(at, there, report), (at + 30_000_000, back, answer + sdes(0xDEF)), (at + 10**9, there, leaving)]
    frames = [frame(packet) for packet in packets] + [(when, ethernet(udp4(*way, data))) for when, way, data in told]
    _, checked = rendered(analysed(tmp_path, pcap(sorted(frames)), audio=True), words)
    text = re.sub(r"\s+", " ", " ".join(checked.text))
    assert "sí: <b onload=x>&" in text
    assert "onload" not in checked.attributes
    assert "25,00 % · 25,00 %" in text  # the loss that the far end tells
    assert "10,0 ms · 10,0 ms" in text  # and its jitter
    assert "30,0 ms · 30,0 ms · 30,0 ms" in text  # a round trip
    assert "Silencio total más largo 10,0 s" in text


def test_a_capture_without_streams_has_a_report(tmp_path, words):
    _, checked = rendered(analysed(tmp_path, pcap([])), words)
    assert "Ningún flujo RTP" in checked.text
    svg = sheet.sheet([], words, title="a.pcap")
    assert "Ningún flujo RTP" in svg


def test_the_worst_are_kept(tmp_path, words):
    packets = []
    for ssrc in range(12):
        kept = [
            p
            for at, p in enumerate(stream(400, ssrc=ssrc, src=("10.9.0.1", 1000 + ssrc)))
            if not ssrc or at % (30 - ssrc)
        ]
        packets += kept
    analysis = analysed(tmp_path, rtp_pcap(sorted(packets, key=lambda packet: packet.at_ns)))
    few = Gallery(5, 2)
    few.take(analysis)
    assert [fields["ssrc"] for fields in few.listed] == [f"0x{ssrc:08x}" for ssrc in (11, 10, 9, 8, 7)]
    assert ["seconds" in fields for fields in few.listed] == [True, True, False, False, False]
    assert (few.totals.streams, few.totals.lost) == (12, sum(analysis.stream(at)["lost"] for at in range(12)))
    few.take(analysis)  # a second capture, as bad
    assert [fields["ssrc"] for fields in few.listed][:2] == [f"0x{11:08x}"] * 2
    assert ["seconds" in fields for fields in few.listed] == [True, True, False, False, False]
    assert page.render(few, [analysis.about()] * 2, words, Wanted(), named=True).count("<article") == 2


def ids(folder: Path) -> set[str]:
    """Messages in the sources of pictures and report."""
    found = set()
    for source in sorted(folder.glob("*.py")):
        found |= set(re.findall(r'text\(\s*"((?:[^"\\]|\\.)+)"', source.read_text(encoding="utf-8")))
    found |= set(re.findall(r'\bt\("([^"]+)"', (folder / "report.html").read_text(encoding="utf-8")))
    found |= set(re.findall(r'Remark\(\s*"([^"]+)"', (folder.parent / "remarks.py").read_text(encoding="utf-8")))
    found |= {text for _, _, text in sheet._MARKS}
    return found | {
        *details._SOURCES.values(),
        *details._BUFFERS.values(),
        "Jitter (ms)",
        "Loss (%)",
        "MOS-LQ (1 to 4.5)",
    }


def test_every_word_has_its_spanish():
    folder = Path(gallery.__file__).parent
    with (resources.files("probes") / "locale" / "es.po").open("rb") as file:
        spanish = {message.id: message.string for message in read_po(file, locale="es") if message.id}
    assert ids(folder) - spanish.keys() == set()
    for english, said in spanish.items():
        assert said, english
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", said)), english
