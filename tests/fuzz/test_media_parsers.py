"""Every parser of the media room: it parses, or raises the one documented error, nothing else."""

import io

from hypothesis import example, given
from hypothesis import strategies as st

from probes.media import sdp
from probes.media.capture import feed_capture
from probes.media.errors import CaptureError
from probes.media.meter import StreamMeter
from tests.media_captures import rtp_pcap, stream

WHOLE = rtp_pcap(stream(20))


@given(st.binary(max_size=400))
@example(
    b"SIP/2.0 200 OK\nContent-Type: application/sdp\n\n"
    b"c=IN IP4 1.2.3.4\nm=audio 4000 RTP/AVP 999 \xb2\na=rtpmap:999 x/1"
)
def test_sdp_never_raises(data):
    sdp.endpoints(data)
    sdp.endpoints(b"SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nc=IN IP4 10.0.0.1\r\n" + data)


_LINES = [
    "v=0", "c=IN IP4 1.2.3.4", "c=IN IP6 ::1", "m=audio 5 RTP/AVP 8 97", "m=video 6/2 RTP/AVP 31", "m=", "c=",
    "a=rtpmap:97 opus/48000/2", "a=rtpmap:97 x/0", "a=rtpmap:97 x/999999999", "a=rtpmap:", "m=audio -1 RTP/AVP",
]  # fmt: skip


@given(st.lists(st.sampled_from(_LINES), max_size=12))
def test_sdp_lines_in_any_order(lines):
    message = "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n" + "\r\n".join(lines)
    meter = StreamMeter()
    for endpoint in sdp.endpoints(message.encode()):
        meter.announce(endpoint.address, endpoint.port, endpoint.formats)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_damaged_pcap(junk, at):
    for data in (junk, WHOLE[:at] + junk, WHOLE[:at] + junk + WHOLE[at + len(junk) :]):
        meter = StreamMeter()
        try:
            feed_capture(io.BytesIO(data), meter, "x")
        except CaptureError:
            continue
        meter.snapshot()
