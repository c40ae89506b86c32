"""What is done with the results of one series, learnt once: no look-ups per result."""

from collector.thresholds.known import Known
from collector.thresholds.rules import Add, Cell, Group
from collector.thresholds.source import Many, Plain, Single


class Plan:
    """What is done with the results of one series; of OPTIONS that were plainly answered, once for each bucket.

    They are nearly all of all results: until their bucket has ended only the round trips are put down.
    """

    __slots__ = ("index", "plain", "rtts", "series", "several", "singles", "width_us")

    def __init__(self, series: tuple[str | None, ...], width_us: int) -> None:
        self.series, self.width_us = series, width_us
        self.index = -1
        self.rtts: list[float] = []
        self.singles: list[
            tuple[Single, tuple[Add, ...], list[tuple[Group, Cell]]]
        ] = []  # with the cells to be judged at once
        self.several: list[tuple[Many, list[Group]]] = []
        self.plain: list[tuple[Plain, tuple[Add, ...], bool]] = []  # whether they are events

    def put_down(self, known: Known) -> None:
        """The plainly answered of the bucket that has ended, into the windows."""
        rtts, self.rtts = self.rtts, []
        at_us, count = self.index * self.width_us, float(len(rtts))
        sbc, core = self.series[:2]
        for plain, adds, events in self.plain:
            values = plain(rtts, at_us, sbc, core, known)
            for add in adds:
                if events:
                    add(at_us, 0.0, count)
                for value in values:
                    add(at_us, value, 1.0)
