"""What a person has to know before he believes the figures."""

import pytest

from probes.media.analysis import Analysis, Wanted
from probes.media.remarks import remarks
from sereno.cli.rtp_options import map_formats
from tests.media_captures import frame, pcap, stream


@pytest.mark.parametrize(
    ("clock", "believed"), [(8000, True), (8001, True), (8160, True), (16000, False), (48000, False), (4000, False)]
)
def test_timestamps_of_another_clock_than_the_announced_one(tmp_path, clock, believed):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([frame(sent) for sent in stream(800, payload_type=96)]))  # 160 a packet: 8000 Hz
    analysis = Analysis(path, Wanted(maps=map_formats([f"96=speex/{clock}"])))
    fields = analysis.stream(0)
    assert abs(fields["clock_drift_ppm"] - 1e6 * (1 - 8000 / clock)) < 1
    assert any(f"do not run at {clock} Hz" in str(remark) for remark in remarks(fields)) != believed
