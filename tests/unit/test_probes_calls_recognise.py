"""The known signal against made ones: ours, late, mixed, foreign, none."""

import numpy as np
import pytest

from probes.checks.recognise import recognise, samples_of
from probes.sip.signal import BURST_MS, GAP_MS, TONE_HZ

RATE = 8000


def tone(seconds=5.0, hertz=TONE_HZ, *, bursts=True, delay=0.0, level=8000):
    t = np.arange(int(seconds * RATE)) / RATE - delay
    on = (t >= 0) & ((t * 1000 % (BURST_MS + GAP_MS) < BURST_MS) if bursts else True)
    return (level * np.sin(2 * np.pi * hertz * t) * on).astype(np.int16)


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.15, 0.4, 0.8])
def test_the_echo_is_ours_and_its_delay_is_found(delay):
    heard = recognise(tone(), tone(delay=delay), RATE)
    assert heard.signal == "ours"
    assert heard.echo_delay_seconds == pytest.approx(delay, abs=0.005)


@pytest.mark.parametrize("delay", [1.2, 1.5, 2.3])
def test_an_echo_older_than_a_period_is_not_told_as_a_younger_one(delay):
    heard = recognise(tone(8.0), tone(8.0, delay=delay), RATE)
    assert (heard.signal, heard.echo_delay_seconds) == ("ours", None)


def test_a_far_end_that_begins_late_has_its_delay():
    late = tone(8.0, delay=0.05)
    late[: int(1.6 * RATE)] = 0
    assert recognise(tone(8.0), late, RATE).echo_delay_seconds == pytest.approx(0.05, abs=0.005)


def test_a_quiet_echo_in_noise_is_ours():
    noise = np.random.default_rng(1).normal(0, 30, 5 * RATE).astype(np.int16)
    assert recognise(tone(), tone(delay=0.1, level=600) + noise, RATE).signal == "ours"


@pytest.mark.parametrize("hertz", [440, 900, 1100, 2100])
def test_another_tone_is_other(hertz):
    heard = recognise(tone(), tone(hertz=hertz, bursts=False), RATE)
    assert (heard.signal, heard.echo_delay_seconds) == ("other", None)


def test_a_steady_tone_of_our_frequency_has_no_delay():
    assert recognise(tone(), tone(bursts=False), RATE).echo_delay_seconds is None


def test_noise_of_a_line_is_nothing_and_music_is_other():
    random = np.random.default_rng(2)
    assert recognise(tone(), random.normal(0, 10, 5 * RATE).astype(np.int16), RATE).signal == "nothing"
    assert (
        recognise(tone(), random.normal(0, 4000, 5 * RATE).clip(-32000, 32000).astype(np.int16), RATE).signal == "other"
    )


def test_an_announcement_before_the_echo_is_no_fault():
    heard = np.concatenate([tone(3.5, 440, bursts=False), tone(5.0)[int(3.5 * RATE) :]])
    assert recognise(tone(), heard, RATE).signal == "ours"


def test_too_short_a_call_says_nothing():
    assert recognise(tone(2.5), tone(2.5), RATE) is None


def test_a_file_that_is_no_recording_is_none(tmp_path):
    assert samples_of(tmp_path / "none.wav") is None
    (tmp_path / "bad.wav").write_bytes(b"RIFX" + bytes(100))
    assert samples_of(tmp_path / "bad.wav") is None
