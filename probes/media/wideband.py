"""The wideband E-model, ITU-T G.107.1 (06/2019), as far as it is known here: R, and MOS from R, for 50 to 7000 Hz.

No copy of the ITU's text was at hand. What is used, and on whose word:

- Ro,WB = 129 and Is,WB = 0, constants (clauses 7.2 and 7.3); Ie,eff,WB with the loss constant 95 of the narrowband
  model (clause 7.5); MOS from Rx = R / 1.29 by the narrowband cubic (annex A). Several public sources agree.
- Idd,WB = 1.29 times the narrowband Idd (clause 7.4). One open implementation of the 2019 edition has it so; one of the
  2011 edition has no factor. The factor is what keeps the same delay at the same cost in MOS on a longer scale.
- BurstR: the formula published for wideband is for random loss. Bursts are applied here as G.107 clause 7.5 does, so
  that loss in bursts is not rated as random loss; 1 gives the published formula.

Left out, and refused rather than guessed: talker echo (a term of its formula, the reference echo loudness Roe, was
changed by corrigendum 1 of 01/2020, which we have not seen), listener echo (for further study), loudness, sidetone,
noise, qdu (not part of the 2019 model), the delay sensitivities sT and mT, and the advantage factor (0 by clause 7.6).
With delay alone and perfect echo control none of them is needed.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from probes.media import emodel
from probes.media.emodel import Rating, Value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RO = 129.0  # clause 7.2
SCALE = 1.29  # annex A; clause 7.4


@dataclass(frozen=True, kw_only=True)
class WidebandConnection:
    """The inputs of G.107.1 that are known here."""

    Ta: "ArrayLike" = 0.0  # absolute delay, ms
    Ie: "ArrayLike" = 0.0  # equipment impairment factor on the wideband scale
    Bpl: "ArrayLike" = 4.3  # packet-loss robustness factor on the wideband scale
    Ppl: "ArrayLike" = 0.0  # packet-loss probability, percent
    BurstR: "ArrayLike" = 1.0  # burst ratio


def rate(connection: WidebandConnection) -> Rating:
    """R of a wideband connection: Ro,WB − Id,WB − Ie,eff,WB (clause 7.1, Is,WB and A being 0)."""
    m = emodel.maths_for(vars(connection).values())
    c = WidebandConnection(**{name: m.value(given) for name, given in vars(connection).items()})
    delay = pure_delay(c.Ta)
    effective = emodel.ie_eff(c.Ie, c.Bpl, c.Ppl, c.BurstR)
    rating = RO - delay - effective
    return Rating(
        R=rating,
        Ro=m.shaped(RO, rating),
        Is=m.shaped(0.0, rating),
        Id=m.shaped(delay, rating),
        Ie_eff=m.shaped(effective, rating),
        mos=mos_of_r(rating),
    )


@overload
def mos_of_r(rating: float) -> float: ...
@overload
def mos_of_r(rating: "ArrayLike") -> Value: ...
def mos_of_r(rating: "ArrayLike") -> Value:
    """MOS of a wideband R (annex A)."""
    return emodel.mos_of_r(emodel.maths_for((rating,)).value(rating) / SCALE)


@overload
def pure_delay(ta: float) -> float: ...
@overload
def pure_delay(ta: "ArrayLike") -> Value: ...
def pure_delay(ta: "ArrayLike") -> Value:
    """Idd,WB: what an absolute delay costs with perfect echo control (clause 7.4); ms."""
    return SCALE * emodel.pure_delay(ta)
