"""The E-model, ITU-T G.107 (06/2015, narrowband): a rating R and a mean opinion score, as functions of numbers.

Every input of G.107 can be set, to a number or to a NumPy array: each formula is written once and serves both. Plain
numbers give plain numbers and never load NumPy; arrays broadcast, and NaN stands for unknown. The symbols are the
standard's own, and so are the clauses cited beside the constants (G.107's unless another is named). No copy of the
ITU's text was at hand: the constants are second-hand, and checked against what is published of the standard's results:
its default connection (R = 93.2, clause 7.7) and its table of R against MOS (annex B).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]

Value: TypeAlias = Any  # a float or an array of them

R_MAX_LOSS = 95.0  # the most that loss can cost, clause 7.5
_MOS_TURN = 6.5  # below about this R the cubic of annex B falls under 1 again


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The inputs of G.107 with their default values (table 2); LSTR is STMR + Dr, as that table has it."""

    SLR: "ArrayLike" = 8.0  # send loudness rating, dB
    RLR: "ArrayLike" = 2.0  # receive loudness rating, dB
    STMR: "ArrayLike" = 15.0  # sidetone masking rating, dB
    Ds: "ArrayLike" = 3.0  # D-value of the telephone, send side
    Dr: "ArrayLike" = 3.0  # D-value of the telephone, receive side
    TELR: "ArrayLike" = 65.0  # talker echo loudness rating, dB
    WEPL: "ArrayLike" = 110.0  # weighted echo path loss, dB
    T: "ArrayLike" = 0.0  # mean one-way delay of the echo path, ms
    Tr: "ArrayLike" = 0.0  # round-trip delay in the 4-wire loop, ms
    Ta: "ArrayLike" = 0.0  # absolute delay, ms
    qdu: "ArrayLike" = 1.0  # quantizing distortion units
    Ie: "ArrayLike" = 0.0  # equipment impairment factor
    Bpl: "ArrayLike" = 4.3  # packet-loss robustness factor
    Ppl: "ArrayLike" = 0.0  # packet-loss probability, percent
    BurstR: "ArrayLike" = 1.0  # burst ratio
    Nc: "ArrayLike" = -70.0  # circuit noise referred to the 0 dBr point, dBm0p
    Nfor: "ArrayLike" = -64.0  # noise floor at the receive side, dBmp
    Ps: "ArrayLike" = 35.0  # room noise, send side, dB(A)
    Pr: "ArrayLike" = 35.0  # room noise, receive side, dB(A)
    A: "ArrayLike" = 0.0  # advantage factor
    sT: "ArrayLike" = 1.0  # delay sensitivity
    mT: "ArrayLike" = 100.0  # minimum perceivable delay, ms


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What the E-model says of a connection: R and the impairments it is made of. Floats, or arrays of one shape."""

    R: Value
    Ro: Value
    Is: Value
    Id: Value
    Ie_eff: Value
    mos: Value


def rate(connection: Connection) -> Rating:
    """R of a connection: Ro − Is − Id − Ie-eff + A (clause 7.1)."""
    m = maths_for(vars(connection).values())
    c = Connection(**{name: m.value(given) for name, given in vars(connection).items()})
    noise = _noise(m, c)
    ro = 15 - 1.5 * (c.SLR + noise)  # clause 7.2
    ist = _sidetone(m, c)
    simultaneous = _loudness(c, noise) + ist + _quantizing(m, ro, c.qdu)  # clause 7.3
    delay = _talker_echo(m, c, noise, ist) + _listener_echo(m, ro, c) + pure_delay(c.Ta, c.sT, c.mT)  # clause 7.4
    effective = ie_eff(c.Ie, c.Bpl, c.Ppl, c.BurstR)
    rating = ro - simultaneous - delay - effective + c.A
    return Rating(
        R=rating,
        Ro=m.shaped(ro, rating),
        Is=m.shaped(simultaneous, rating),
        Id=m.shaped(delay, rating),
        Ie_eff=m.shaped(effective, rating),
        mos=mos_of_r(rating),
    )


@overload
def mos_of_r(rating: float) -> float: ...
@overload
def mos_of_r(rating: "ArrayLike") -> Value: ...
def mos_of_r(rating: "ArrayLike") -> Value:
    """MOS of R (annex B): 1 at or below 0, 4.5 at or above 100, never under 1 where the cubic dips."""
    m = maths_for((rating,))
    r = m.value(rating)
    inside = m.where(r < 0, 0.0, m.where(r > 100, 100.0, r))
    cubic = 1 + 0.035 * inside + inside * (inside - 60) * (100 - inside) * 7e-6
    return m.where(r < _MOS_TURN, 1.0, m.where(r >= 100, 4.5, m.where(cubic < 1, 1.0, cubic)))


@overload
def ie_eff(ie: float, bpl: float, ppl: float, burst_r: float = 1.0) -> float: ...
@overload
def ie_eff(ie: "ArrayLike", bpl: "ArrayLike", ppl: "ArrayLike", burst_r: "ArrayLike" = 1.0) -> Value: ...
def ie_eff(ie: "ArrayLike", bpl: "ArrayLike", ppl: "ArrayLike", burst_r: "ArrayLike" = 1.0) -> Value:
    """Ie-eff: Ie and what packet loss adds to it (clause 7.5); Ppl in percent."""
    m = maths_for((ie, bpl, ppl, burst_r))
    impairment, loss = m.value(ie), m.value(ppl)
    return impairment + (R_MAX_LOSS - impairment) * loss / (loss / m.value(burst_r) + m.value(bpl))


@overload
def pure_delay(ta: float, st: float = 1.0, mt: float = 100.0) -> float: ...
@overload
def pure_delay(ta: "ArrayLike", st: "ArrayLike" = 1.0, mt: "ArrayLike" = 100.0) -> Value: ...
def pure_delay(ta: "ArrayLike", st: "ArrayLike" = 1.0, mt: "ArrayLike" = 100.0) -> Value:
    """Idd: what an absolute delay costs even with perfect echo control (clause 7.4); ms."""
    m = maths_for((ta, st, mt))
    delay, sensitivity, least = m.value(ta), m.value(st), m.value(mt)
    x = m.log2(m.where(delay < least, least, delay) / least)
    power = 6 * sensitivity
    idd = 25 * ((1 + x**power) ** (1 / power) - 3 * (1 + (x / 3) ** power) ** (1 / power) + 2)
    return m.where(idd < 0, 0.0, idd)  # rounding, just above mT


@dataclass(frozen=True)
class Maths:
    """The few functions that differ between a number and an array."""

    value: Callable[[Any], Value]
    where: Callable[[Any, Any, Any], Value]
    shaped: Callable[[Any, Any], Value]  # broadcast to the shape of another
    log10: Callable[[Any], Value]
    log2: Callable[[Any], Value]
    exp: Callable[[Any], Value]
    sqrt: Callable[[Any], Value]


_NUMBERS = Maths(
    value=float,
    where=lambda condition, then, otherwise: then if condition else otherwise,
    shaped=lambda value, _: value,
    log10=math.log10,
    log2=math.log2,
    exp=math.exp,
    sqrt=math.sqrt,
)


def maths_for(values: Iterable[Any]) -> Maths:
    """Plain arithmetic for numbers, NumPy's as soon as one of the values is not a number."""
    return _NUMBERS if all(isinstance(value, (float, int)) for value in values) else _arrays()


@cache
def _arrays() -> Maths:
    import numpy as np

    return Maths(
        value=lambda given: np.asarray(given, dtype=np.float64),
        where=np.where,
        shaped=lambda value, other: np.broadcast_to(value, other.shape),
        log10=np.log10,
        log2=np.log2,
        exp=np.exp,
        sqrt=np.sqrt,
    )


def _power(decibel: Value) -> Value:
    return 10.0 ** (decibel / 10)


def _noise(m: Maths, c: Any) -> Value:
    """No: the power sum of the noise sources at the 0 dBr point (clause 7.2)."""
    nos = c.Ps - c.SLR - c.Ds - 100 + 0.004 * (c.Ps - (c.SLR + c.RLR) - c.Ds - 14) ** 2
    lstr = c.STMR + c.Dr
    pre = c.Pr + 10 * m.log10(1 + _power(10 - lstr))
    nor = c.RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = c.Nfor + c.RLR
    return 10 * m.log10(_power(c.Nc) + _power(nos) + _power(nor) + _power(nfo))


def _loudness(c: Any, noise: Value) -> Value:
    """Iolr: too low an overall loudness (clause 7.3)."""
    x = (c.SLR + c.RLR + 0.2 * (64 + noise - c.RLR)) / 8
    return 20 * ((1 + x**8) ** (1 / 8) - x)


def _sidetone(m: Maths, c: Any) -> Value:
    """Ist: a sidetone that is not optimal (clause 7.3)."""
    s = -10 * m.log10(_power(-c.STMR) + m.exp(-c.T / 4) * _power(-c.TELR))
    return (
        12 * (1 + ((s - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((s + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((s - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )


def _quantizing(m: Maths, ro: Value, qdu: Value) -> Value:
    """Iq: quantizing distortion (clause 7.3)."""
    q = 37 - 15 * m.log10(qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ro - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    return 15 * m.log10(1 + 10**y + 10**z)


def _talker_echo(m: Maths, c: Any, noise: Value, ist: Value) -> Value:
    """Idte: talker echo (clause 7.4). Under 1 ms it is sidetone; a very strong and a very weak sidetone have rules."""
    roe = -1.5 * (noise - c.RLR)
    terv = c.TELR - 40 * m.log10((1 + c.T / 10) / (1 + c.T / 150)) + 6 * m.exp(-0.3 * c.T**2)
    terv = m.where(c.STMR < 9, terv + ist / 2, terv)
    half = (roe - (80 + 2.5 * (terv - 14))) / 2
    idte = m.where(c.T < 1, 0.0, (half + m.sqrt(half**2 + 100) - 1) * (1 - m.exp(-c.T)))
    return m.where(c.STMR > 20, m.sqrt(idte**2 + ist**2), idte)


def _listener_echo(m: Maths, ro: Value, c: Any) -> Value:
    """Idle: listener echo (clause 7.4)."""
    half = (ro - 10.5 * (c.WEPL + 7) * (c.Tr + 1) ** -0.25) / 2
    return half + m.sqrt(half**2 + 169)


BASE_R = rate(Connection()).R  # no loss, no delay, Ie 0
