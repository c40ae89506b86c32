"""The clock of test calls (probes/sip/csrc): frames asked for at exact instants, in a thread of its own."""

import ctypes
import errno
import threading
import time

import pytest

from probes.sip._ticker import Ticker

_EVERY_NS = 2_000_000
_ENTER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))
_GET_FRAME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_PORT = 0x1234


class Frame(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("sound", ctypes.c_void_p),
        ("octets", ctypes.c_size_t),
        ("timestamp", ctypes.c_uint64),
        ("bits", ctypes.c_uint32),
    )


class Bridge:
    """What pjsip would be: takes the thread, gives frames."""

    def __init__(self, entered=0, slow_seconds=0.0):
        self.threads, self.frames = [], []
        self._entered, self.slow_seconds = entered, slow_seconds
        self._keep = _ENTER(self._enter), _GET_FRAME(self._get_frame)

    def addresses(self):
        return [ctypes.cast(function, ctypes.c_void_p).value for function in self._keep]

    def _enter(self, name, _description, _thread):
        self.threads.append((name, threading.get_native_id()))
        return self._entered

    def _get_frame(self, port, frame):
        found = ctypes.cast(frame, ctypes.POINTER(Frame)).contents
        self.frames.append((port, threading.get_native_id(), found.type, found.octets, found.timestamp))
        time.sleep(self.slow_seconds)
        self.slow_seconds = 0.0
        return 0

    def ticker(self, samples=160, every_ns=_EVERY_NS):
        return Ticker(*self.addresses(), _PORT, samples, every_ns)


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_it_asks_for_frames_one_after_the_other_in_a_thread_that_it_registered():
    bridge = Bridge()
    began = time.monotonic()
    ticker = bridge.ticker()
    until(lambda: ticker.status()["ticks"] >= 50)
    took = time.monotonic() - began
    ticker.close()
    asked = list(bridge.frames)
    assert took >= 50 * _EVERY_NS / 1e9  # never early
    ((name, thread),) = bridge.threads
    assert (name, thread != threading.get_native_id()) == (b"sereno-ticker", True)
    assert {frame[:4] for frame in asked} == {(_PORT, thread, 1, 320)}
    assert [frame[4] for frame in asked] == [160 * n for n in range(len(asked))]
    time.sleep(3 * _EVERY_NS / 1e9)
    assert bridge.frames == asked  # closed is closed
    ticker.close()


def test_it_says_how_unevenly_it_ticked():
    bridge = Bridge(slow_seconds=0.05)  # one frame takes 25 turns: what follows comes at once, late by less and less
    ticker = bridge.ticker()
    until(lambda: ticker.status()["ticks"] >= 60)
    status = ticker.status()
    ticker.close()
    assert status["variation_ns"] >= 2 * 40_000_000  # up to the lateness, and down again
    assert (status["skipped"], status["error"]) == (0, 0)
    assert isinstance(status["realtime"], bool)


def test_a_long_stop_is_left_out_and_counted():
    bridge = Bridge(slow_seconds=0.7)
    ticker = bridge.ticker()
    until(lambda: ticker.status()["ticks"] >= 5)
    status = ticker.status()
    ticker.close()
    assert 250 <= status["skipped"] <= 0.7e9 / _EVERY_NS + 1000  # half a second at least; more on a busy machine
    assert len(bridge.frames) < 200  # and no burst to make up for it


def test_a_library_that_does_not_take_the_thread_is_told():
    bridge = Bridge(entered=70_004)
    ticker = bridge.ticker()
    until(lambda: ticker.status()["error"])
    assert (ticker.status()["error"], ticker.status()["ticks"], bridge.frames) == (70_004, 0, [])
    ticker.close()


@pytest.mark.parametrize(("samples", "every_ns"), [(0, 1), (2000, 1), (160, 0), (160, -5)])
def test_frames_that_have_no_room_are_refused(samples, every_ns):
    with pytest.raises(OSError, match="Invalid argument") as caught:
        Bridge().ticker(samples, every_ns)
    assert caught.value.errno == errno.EINVAL


def test_no_address_is_refused():
    with pytest.raises(ValueError, match="an address is 0"):
        Ticker(0, 1, 1, 160, 1)
