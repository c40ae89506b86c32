"""G.711 as it sounds: the tables against ITU-T G.711, levels against sounds whose level is known."""

import functools
import io
import math
import random
import struct

import pytest

from probes.media.audio import audio_fields
from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.payload import Format, Kind
from tests.media_captures import DST, SRC, START_NS, ethernet, pcap, shared_captures, udp4

MU, A = 0, 8
FLOOR = -127.0


def expand(law, code):
    """ITU-T G.711, table by table: the value of a code as 16 bits (G.191: A-law times 8, mu-law times 4)."""
    if law == A:
        code ^= 0x55  # even bits are inverted
        chord, step = code >> 4 & 7, code & 15
        # Tables 1a/1b: 16 steps of 2 up to 32, 16 more of 2 up to 64, then each chord twice as wide; middle of a step.
        start, width = (0, 2) if chord == 0 else (32 << (chord - 1), 2 << (chord - 1))
        value = (start + step * width + width // 2) * 8
    else:
        code ^= 0xFF
        chord, step = code >> 4 & 7, code & 15
        # Tables 2a/2b: decision values 0, 1, 3, … 31, 35, … 8159; output values 0, 2, … 30, 33, … 8031.
        value = ((33 + 2 * step) * 2**chord - 33) * 4
    return value if (code & 0x80 if law == A else not code & 0x80) else -value


@functools.cache
def compress(law, value):
    """The code whose value is nearest."""
    return min(range(256), key=lambda code: abs(expand(law, code) - value))


def sine(law, peak, seconds=1.0, hertz=1003.0):
    wave = (peak * math.sin(2 * math.pi * hertz * n / 8000) for n in range(int(8000 * seconds)))
    return bytes(compress(law, round(value)) for value in wave)


def packets(samples, law, *, octets=160, first=0, header=b"", flags=0x80, trailer=b"", ssrc=7):
    """RTP of these samples, as (sequence, datagram)."""
    for number in range(len(samples) // octets):
        head = struct.pack("!BBHII", flags, law, first + number, (first + number) * octets, ssrc)
        yield first + number, head + header + samples[number * octets : (number + 1) * octets] + trailer


def listen(datagrams, *, snaplen=65535, audio=True, announced=()):
    """What the meter hears of datagrams 20 ms apart; None: nothing."""
    frames = [(START_NS + i * 20_000_000, ethernet(udp4(SRC, DST, data))) for i, data in enumerate(datagrams)]
    meter = StreamMeter(audio=audio)
    if announced:
        meter.announce(*DST, announced)
    feed_capture(io.BytesIO(pcap(frames, snaplen=snaplen)), meter, "made")
    (row,) = meter.snapshot()
    return audio_fields(meter.core, row.tobytes())


def heard(samples, law, **options):
    return listen([data for _, data in packets(samples, law)], **options)


@pytest.mark.parametrize("law", [MU, A])
def test_every_code(law):
    """A packet of one code again and again has that code's level, exactly."""
    for code in range(256):
        told = heard(bytes([code]) * 320, law)
        value = abs(expand(law, code))
        expected = 20 * math.log10(value / 32768) if value else FLOOR
        assert told["level_dbov"] == pytest.approx(expected, abs=1e-6), code
        assert told["peak_dbov"] == told["level_dbov"]
        assert told["clipping_ratio"] == (1 if value == max(abs(expand(law, c)) for c in range(256)) else 0)
        assert told["silence_ratio"] == (1 if expected < -50 else 0)
        assert told["audio_seconds"] == 0.04


def test_tables_of_g711():
    """Values of the Recommendation: A-law 1, 31, 33, 4032 (of 4096); mu-law 0, 2, 30, 33, 8031 (of 8159)."""
    assert [expand(A, code) // 8 for code in (0xD5, 0xDA, 0xC5, 0xAA, 0x55, 0x2A)] == [1, 31, 33, 4032, -1, -4032]
    assert [expand(MU, code) // 4 for code in (0xFF, 0xFE, 0xF0, 0xEF, 0x80, 0x00)] == [0, 2, 30, 33, 8031, -8031]


@pytest.mark.parametrize(("law", "full"), [(MU, 32124), (A, 32256)])
def test_levels_of_known_sounds(law, full):
    """The loudest square wave is all but 0 dBov, a sine of that peak 3.01 below it."""
    high, low = compress(law, full), compress(law, -full)
    square = heard(bytes([high] * 80 + [low] * 80) * 50, law)
    top = 20 * math.log10(full / 32768)
    assert square["level_dbov"] == square["peak_dbov"] == pytest.approx(top, abs=1e-6)
    assert square["clipping_ratio"] == 1
    loud = heard(sine(law, full), law)
    assert loud["level_dbov"] == pytest.approx(top - 3.0103, abs=0.05)
    assert 0.05 < loud["clipping_ratio"] < 0.3
    tone = heard(sine(law, full / 10), law)
    assert tone["level_dbov"] == pytest.approx(top - 23.0103, abs=0.05)
    assert tone["clipping_ratio"] == 0
    assert tone["silence_ratio"] == 0


@pytest.mark.parametrize("law", [MU, A])
def test_level_is_that_of_its_samples(law):
    """RMS of whatever was heard, silence included, as arithmetic says."""
    source = random.Random(law)
    samples = bytes(compress(law, source.gauss(0, 900)) for _ in range(3200)) + bytes([compress(law, 0)]) * 1600
    told = heard(samples, law)
    values = [expand(law, code) for code in samples]
    mean = sum(value * value for value in values) / len(values)
    assert told["level_dbov"] == pytest.approx(10 * math.log10(mean / 32768**2), abs=1e-6)
    assert told["peak_dbov"] == pytest.approx(20 * math.log10(max(map(abs, values)) / 32768), abs=1e-6)
    assert told["silence_ratio"] == pytest.approx(1 / 3)
    assert told["dead_air_seconds"] == 0.2
    assert told["audio_seconds"] == 0.6
    assert told["unmeasured"] is None


def test_threshold_of_silence():
    """Blocks of 20 ms under -50 dBov: an RMS of 103.6 of 32768."""
    quiet, loud = compress(A, 100), compress(A, 108)
    assert (expand(A, quiet), expand(A, loud)) == (104, 104) or expand(A, quiet) < 103.6 < expand(A, loud)
    for code in range(256):
        rms = abs(expand(A, code))
        assert heard(bytes([code]) * 320, A)["silence_ratio"] == (1 if rms < 32768 * 10 ** (-50 / 20) else 0)


def test_dead_air_is_the_longest_silence():
    tone, silence = sine(A, 3000, 0.5), bytes([0xD5])
    told = heard(tone + silence * 4000 + tone + silence * 16000 + tone, A)
    assert told["dead_air_seconds"] == 2.0
    assert told["silence_ratio"] == pytest.approx(2.5 / 4)
    assert heard(silence * 80000, A)["dead_air_seconds"] == 10.0
    assert heard(tone, A)["dead_air_seconds"] == 0


@pytest.mark.parametrize("octets", [80, 240, 164, 7])
def test_packets_of_any_length(octets):
    """Blocks are 160 samples, however they come."""
    samples = bytes([0xD5]) * 1600 + sine(A, 3000, 0.2)
    told = listen([data for _, data in packets(samples, A, octets=octets)])
    whole = len(samples) // octets * octets
    assert told["audio_seconds"] == whole / 8000
    assert told["silence_ratio"] == pytest.approx(10 / (whole // 160))
    assert told["dead_air_seconds"] == 0.2


def test_duplicates_are_heard_once_and_late_packets_too():
    samples = sine(A, 3000, 0.2) + bytes([0xD5]) * 1600
    ordered = [data for _, data in packets(samples, A)]
    plain = listen(ordered)
    twice = listen([data for data in ordered for _ in range(2)])
    assert twice == plain
    late = [*ordered[:3], ordered[4], ordered[3], *ordered[5:]]
    assert listen(late)["audio_seconds"] == plain["audio_seconds"]
    assert listen(late)["level_dbov"] == pytest.approx(plain["level_dbov"], abs=1e-6)


def test_header_extension_and_padding_are_no_sound():
    samples = sine(A, 3000, 0.2)
    extension = struct.pack("!II", 11, 22) + struct.pack("!HHI", 0xBEDE, 1, 0)  # two CSRCs, one word of extension
    dressed = [data for _, data in packets(samples, A, header=extension, flags=0x80 | 0x30 | 2, trailer=b"\0\0\0\4")]
    assert listen(dressed) == heard(samples, A)


def test_what_is_no_sound_at_all():
    """Padding or an extension that claims more than there is."""
    good = [data for _, data in packets(sine(A, 3000, 0.2), A)]
    bad = [struct.pack("!BBHII", flags, A, 100 + i, 0, 7) + tail for i, (flags, tail) in enumerate(
        [(0xA0, b"\xff" * 4), (0xA0, b"\0" * 4), (0x90, b"\0\0\0\x09" + b"\0" * 8), (0x90, b"\0"), (0x80, b"")]
    )]  # fmt: skip
    assert listen(good + bad) == listen(good)


def test_cut_by_the_capture():
    told = heard(sine(A, 3000, 0.2), A, snaplen=14 + 20 + 8 + 60)
    assert told["unmeasured"] == "snapped"
    assert told["audio_seconds"] == 0
    figures = ("level_dbov", "peak_dbov", "silence_ratio", "clipping_ratio", "dead_air_seconds")
    assert [told[name] for name in figures] == [None] * 5


def test_encrypted_by_sdp():
    told = heard(sine(A, 3000, 0.2), A, announced=[Format(8, "PCMA", 8000, Kind.MEDIA, law=3)])
    assert told["unmeasured"] == "encrypted"
    assert told["level_dbov"] is None


def test_ciphertext_is_not_taken_for_sound():
    secret = random.Random(3).randbytes(170 * 200)
    told = listen([data for _, data in packets(secret, A, octets=170)])  # a tag of ten octets behind
    assert (told["unmeasured"], told["level_dbov"]) == ("looks encrypted", None)
    # All codes alike, in order, are no ciphertext.
    assert heard(bytes(range(256)) * 100, A)["unmeasured"] is None


def test_codecs_that_are_not_g711_and_nobody_listening():
    samples = sine(A, 3000, 0.2)
    assert heard(samples, 18) is None
    assert heard(samples, 96) is None
    assert heard(samples, A, audio=False) is None
    dynamic = [Format(96, "PCMU", 8000, Kind.MEDIA, law=1)]
    assert heard(sine(MU, 3000, 0.2), 96, announced=dynamic) == heard(sine(MU, 3000, 0.2), MU)
    assert heard(samples, A, announced=[Format(8, "L16", 8000, Kind.MEDIA)]) is None


def test_real_ciphertext():
    folder = shared_captures()
    if folder is None:
        pytest.skip("no captures here")
    meter = StreamMeter(audio=True)
    with (folder / "examples_marseillaise-srtp.pcap").open("rb") as file:
        feed_capture(file, meter, "srtp")
    told = [audio_fields(meter.core, row.tobytes()) for row in meter.snapshot()]
    assert [one and one["unmeasured"] for one in told] == ["looks encrypted"]


def test_real_speech():
    folder = shared_captures()
    if folder is None:
        pytest.skip("no captures here")
    meter = StreamMeter(audio=True)
    with (folder / "examples_nb6-telephone.pcap").open("rb") as file:
        feed_capture(file, meter, "speech")
    told = [audio_fields(meter.core, row.tobytes()) for row in meter.snapshot()]
    for one in filter(None, told):
        assert one["unmeasured"] is None
        assert -70 < one["level_dbov"] < -5
        assert one["level_dbov"] <= one["peak_dbov"] <= 0


def test_a_dropped_stream_gives_its_place_to_another():
    meter = StreamMeter(2, audio=True)
    for ssrc in range(1, 9):
        frames = [
            (START_NS + i * 20_000_000, ethernet(udp4(SRC, DST, data)))
            for i, (_, data) in enumerate(packets(bytes([0xD5 if ssrc % 2 else 0xAA]) * 1600, A, ssrc=ssrc))
        ]
        feed_capture(io.BytesIO(pcap(frames)), meter, "made")
        rows = meter.snapshot()
        (told,) = [audio_fields(meter.core, row.tobytes()) for row in rows]
        assert told["silence_ratio"] == ssrc % 2
        assert meter.forget(rows) == 1
