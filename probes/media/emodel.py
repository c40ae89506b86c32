"""The E-model, ITU-T G.107 (narrowband): a transmission rating R and a mean opinion score, as functions of numbers.

Every input of G.107 can be set, and every input may be a NumPy array: all arithmetic broadcasts. The symbols are the
standard's own. The constants were taken from the clauses cited beside them and are checked against the standard's
default connection (R = 93.2, clause 7) and its tables of R against MOS (annex B).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

R_MAX_LOSS = 95.0  # the most that loss can cost, clause 7.5
_MOS_TURN = 6.5  # below about this R the cubic of annex B falls under 1 again


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The inputs of G.107 with its default values (table 2)."""

    SLR: ArrayLike = 8.0  # send loudness rating, dB
    RLR: ArrayLike = 2.0  # receive loudness rating, dB
    STMR: ArrayLike = 15.0  # sidetone masking rating, dB
    Ds: ArrayLike = 3.0  # D-value of the telephone, send side
    Dr: ArrayLike = 3.0  # D-value of the telephone, receive side
    TELR: ArrayLike = 65.0  # talker echo loudness rating, dB
    WEPL: ArrayLike = 110.0  # weighted echo path loss, dB
    T: ArrayLike = 0.0  # mean one-way delay of the echo path, ms
    Tr: ArrayLike = 0.0  # round-trip delay in the 4-wire loop, ms
    Ta: ArrayLike = 0.0  # absolute delay, ms
    qdu: ArrayLike = 1.0  # quantizing distortion units
    Ie: ArrayLike = 0.0  # equipment impairment factor
    Bpl: ArrayLike = 4.3  # packet-loss robustness factor
    Ppl: ArrayLike = 0.0  # packet-loss probability, percent
    BurstR: ArrayLike = 1.0  # burst ratio
    Nc: ArrayLike = -70.0  # circuit noise referred to the 0 dBr point, dBm0p
    Nfor: ArrayLike = -64.0  # noise floor at the receive side, dBmp
    Ps: ArrayLike = 35.0  # room noise, send side, dB(A)
    Pr: ArrayLike = 35.0  # room noise, receive side, dB(A)
    A: ArrayLike = 0.0  # advantage factor
    sT: ArrayLike = 1.0  # delay sensitivity
    mT: ArrayLike = 100.0  # minimum perceivable delay, ms


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What G.107 says of a connection: R and the impairments it is made of."""

    R: Array
    Ro: Array
    Is: Array
    Id: Array
    Ie_eff: Array

    @property
    def mos(self) -> Array:
        """The conversational (or listening) opinion that annex B gives for R."""
        return mos_of_r(self.R)


def rate(connection: Connection) -> Rating:
    """R of a connection: Ro − Is − Id − Ie-eff + A (clause 7.1)."""
    c = connection
    slr, rlr, stmr = _f(c.SLR), _f(c.RLR), _f(c.STMR)
    noise = _noise(c)
    ro = 15 - 1.5 * (slr + noise)  # clause 7.2
    ist = _sidetone(stmr, _f(c.T), _f(c.TELR))
    simultaneous = _loudness(slr + rlr, noise, rlr) + ist + _quantizing(ro, _f(c.qdu))  # clause 7.3
    delay = _talker_echo(c, noise, ist) + _listener_echo(ro, _f(c.WEPL), _f(c.Tr)) + pure_delay(c.Ta, c.sT, c.mT)
    effective = ie_eff(c.Ie, c.Bpl, c.Ppl, c.BurstR)
    rating = ro - simultaneous - delay - effective + _f(c.A)
    shape = rating.shape
    return Rating(
        R=rating,
        Ro=np.broadcast_to(ro, shape),
        Is=np.broadcast_to(simultaneous, shape),
        Id=np.broadcast_to(delay, shape),
        Ie_eff=np.broadcast_to(effective, shape),
    )


def mos_of_r(rating: ArrayLike) -> Array:
    """MOS of R (annex B): 1 at or below 0, 4.5 at or above 100, never under 1 where the cubic dips."""
    r = _f(rating)
    bounded = np.clip(r, 0.0, 100.0)
    cubic = 1 + 0.035 * bounded + bounded * (bounded - 60) * (100 - bounded) * 7e-6
    return np.where(r < _MOS_TURN, np.where(np.isnan(r), np.nan, 1.0), np.where(r >= 100, 4.5, np.maximum(cubic, 1.0)))


def ie_eff(ie: ArrayLike, bpl: ArrayLike, ppl: ArrayLike, burst_r: ArrayLike = 1.0) -> Array:
    """Ie-eff: Ie and what packet loss adds to it (clause 7.5); Ppl in percent."""
    ie, ppl = _f(ie), _f(ppl)
    return ie + (R_MAX_LOSS - ie) * ppl / (ppl / _f(burst_r) + _f(bpl))


def pure_delay(ta: ArrayLike, st: ArrayLike = 1.0, mt: ArrayLike = 100.0) -> Array:
    """Idd: what an absolute delay costs even with perfect echo control (clause 7.4); ms."""
    delay, sensitivity, least = _f(ta), _f(st), _f(mt)
    x = np.log2(np.maximum(delay, least) / least)
    power = 6 * sensitivity
    return 25 * ((1 + x**power) ** (1 / power) - 3 * (1 + (x / 3) ** power) ** (1 / power) + 2)


def _f(value: ArrayLike) -> Array:
    return np.asarray(value, dtype=np.float64)


def _power(decibel: Array) -> Array:
    return np.asarray(10.0 ** (decibel / 10))


def _noise(c: Connection) -> Array:
    """No: the power sum of the noise sources at the 0 dBr point (clause 7.2)."""
    slr, rlr, ps, ds = _f(c.SLR), _f(c.RLR), _f(c.Ps), _f(c.Ds)
    nos = ps - slr - ds - 100 + 0.004 * (ps - (slr + rlr) - ds - 14) ** 2
    lstr = _f(c.STMR) + _f(c.Dr)
    pre = _f(c.Pr) + 10 * np.log10(1 + _power(10 - lstr))
    nor = rlr - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = _f(c.Nfor) + rlr
    return 10 * np.log10(_power(_f(c.Nc)) + _power(nos) + _power(nor) + _power(nfo))


def _loudness(olr: Array, noise: Array, rlr: Array) -> Array:
    """Iolr: too low an overall loudness (clause 7.3)."""
    x = (olr + 0.2 * (64 + noise - rlr)) / 8
    return 20 * ((1 + x**8) ** (1 / 8) - x)


def _sidetone(stmr: Array, t: Array, telr: Array) -> Array:
    """Ist: a sidetone that is not optimal (clause 7.3)."""
    s = -10 * np.log10(_power(-stmr) + np.exp(-t / 4) * _power(-telr))
    return (
        12 * (1 + ((s - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((s + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((s - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )


def _quantizing(ro: Array, qdu: Array) -> Array:
    """Iq: quantizing distortion (clause 7.3)."""
    q = 37 - 15 * np.log10(qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ro - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    return 15 * np.log10(1 + 10**y + 10**z)


def _talker_echo(c: Connection, noise: Array, ist: Array) -> Array:
    """Idte: talker echo, with the two rules for a very strong and a very weak sidetone (clause 7.4)."""
    t, stmr = _f(c.T), _f(c.STMR)
    roe = -1.5 * (noise - _f(c.RLR))
    terv = _f(c.TELR) - 40 * np.log10((1 + t / 10) / (1 + t / 150)) + 6 * np.exp(-0.3 * t**2)
    terv = np.where(stmr < 9, terv + ist / 2, terv)
    difference = roe - (80 + 2.5 * (terv - 14))
    idte = (difference / 2 + np.sqrt(difference**2 / 4 + 100) - 1) * (1 - np.exp(-t))
    return _f(np.where(stmr > 20, np.sqrt(idte**2 + ist**2), idte))


def _listener_echo(ro: Array, wepl: Array, tr: Array) -> Array:
    """Idle: listener echo (clause 7.4)."""
    difference = ro - 10.5 * (wepl + 7) * (tr + 1) ** -0.25
    return difference / 2 + np.sqrt(difference**2 / 4 + 169)
