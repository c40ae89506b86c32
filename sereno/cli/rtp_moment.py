"""What `sereno rtp watch` shows of one second, as table or as JSON."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probes.media.watch import Look, Reports


@dataclass(frozen=True)
class Moment:
    """One second's look, and what is known of the sensor itself."""

    look: "Look"
    names: dict[tuple[int, int], str]
    dropped: int
    error: str | None
    reports: "Reports | None" = None

    def fields(self, index: int, *, plc: bool = True) -> dict[str, Any]:
        """The fields of one stream."""
        return self.look.fields(index, self.names, plc=plc, reports=self.reports)
