"""Label values: only from the topology and from closed lists; whatever else comes is "other", and is counted.

What a probe sends is not ours to trust: without this, one odd or hostile probe could begin series without bound. A
probe may besides have so many series of a metric as the topology gives it checks to make, several times over; then its
further ones are folded into one series per check and outcome.
"""

from collections.abc import Iterable
from typing import get_args

from sereno.topology import Topology
from sereno.topology.model import Codec

OTHER = "other"
SPARE_PROBES = 16  # that the broker lets in and the topology does not name: each measures everything
GAUGES = 20_000  # of one metric of portals, databases and the like
SPARE_NAMES = 64  # targets of DNS checks and the like, which follow from addresses in several places
SPARE_ADDRESSES = 1_024  # what portals' names lead to
CODECS = frozenset(get_args(Codec))
DIRECTIONS = ("rx", "tx")
# IANA's registry of SIP response codes; what is not in it is shown as its class.
CODES = frozenset({
    100, 180, 181, 182, 183, 199, 200, 202, 204, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408,
    410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429, 430, 433, 436, 437, 438, 439, 440, 469,
    470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580,
    600, 603, 604, 606, 607, 608,
})  # fmt: skip
UNSENT = frozenset({473, 476, 477, 478})  # Kamailio's own: it could not send
HASH_LENGTH = 12  # of a topology: enough to tell it from others
RESULTS_EACH = 4  # series of results per thing that a probe checks: good, late, and two reasons to fail
CODES_EACH = 2
STREAMS_EACH = 2  # codecs of a path
_LEAST = 500
_HOLD, _SHORTEST_US = 2.5, 60_000_000
_SUBJECTS = ("options", "edge", "natural", "register_", "call", "terminating", "pstn")


class Spare:
    """Names that nobody declared, taken up until there are too many."""

    def __init__(self, known: Iterable[str], spare: int) -> None:
        self._known = set(known)
        self._spare = spare

    def __call__(self, name: str) -> str:
        if name in self._known:
            return name
        if self._spare <= 0:
            return OTHER
        self._spare -= 1
        self._known.add(name)
        return name


class Names:
    """The closed lists of one topology; without one, every name of an element is "other"."""

    def __init__(self, topology: Topology | None) -> None:
        self.topology = topology
        self.sbcs = frozenset(topology.sbcs if topology else ())
        self.cores = frozenset(topology.cores if topology else ())
        self.sites = frozenset(topology.sites if topology else ())
        self.probe = Spare(topology.probes if topology else (), SPARE_PROBES)
        self.target = Spare(_targets(topology) if topology else (), SPARE_NAMES)
        self.address = Spare(_addresses(topology) if topology else (), SPARE_ADDRESSES)
        self.replica = Spare(["", *topology.databases] if topology else [""], SPARE_NAMES)
        self.folded = 0
        self._subjects = subjects(topology) if topology else 0
        self._paths = len(topology.paths()) if topology else 0
        self._begun: dict[tuple[str, str], int] = {}

    def sbc(self, name: str | None) -> str:
        """An SBC; empty where there is none."""
        return self._of(self.sbcs, name)

    def core(self, name: str | None) -> str:
        """A core; empty where there is none."""
        return self._of(self.cores, name)

    def codec(self, name: object) -> str:
        """One of the codecs that test calls may have; empty while nothing was negotiated."""
        return self._of(CODECS, name if isinstance(name, str) else None)

    def canaries(self, probe: str) -> tuple[str, ...]:
        """Those that the topology gives a probe."""
        found = self.topology.probes.get(probe) if self.topology is not None else None
        return found.canaries if found is not None else ()

    def code(self, code: int) -> str:
        """A SIP code: registered ones as they are, others as their class, so that `4..` goes on matching."""
        if code in CODES or code in UNSENT:
            return str(code)
        self.folded += 1
        return f"{code // 100}xx" if 100 <= code <= 699 else OTHER  # noqa: PLR2004 - RFC 3261 section 7.2

    def room(self, metric: str, probe: str) -> bool:
        """Whether a probe may begin one more series of a metric; ask once for each."""
        begun = self._begun.get((metric, probe), 0)
        if begun >= self.limit(metric):
            self.folded += 1
            return False
        self._begun[metric, probe] = begun + 1
        return True

    def limit(self, metric: str) -> int:
        """How many series of a metric one probe may have, those of folded ones apart."""
        if metric.startswith("sereno_rtp_"):
            return max(_LEAST, STREAMS_EACH * len(DIRECTIONS) * self._paths)
        each = RESULTS_EACH if metric == "sereno_check_results_total" else CODES_EACH
        return max(_LEAST, each * self._subjects)

    def hold_us(self, check: str, target: str | None) -> int:
        """How long a result of a check speaks, when no other comes: 2.5 of its intervals, a minute at least."""
        topology = self.topology
        every: int | None = None
        if topology is not None and check == "https" and target in topology.portals:
            every = topology.portals[target].every_us
        elif topology is not None and check == "database" and target in topology.databases:
            every = topology.databases[target].every_us
        elif topology is not None:
            asked = getattr(topology.checks, "register_" if check == "register" else check, None)
            every = asked.every_us if asked is not None else None
        return max(_SHORTEST_US, round(_HOLD * (every or 0)))

    def elements(self) -> list[tuple[str, str]]:
        """Everything that has a verdict, by kind and name."""
        topology = self.topology
        if topology is None:
            return []
        found = [("service", topology.service)]
        found += [("path", path.name) for path in topology.paths()]
        for kind, section in (
            ("site", topology.sites),
            ("core", topology.cores),
            ("sbc", topology.sbcs),
            ("probe", topology.probes),
            ("portal", topology.portals),
            ("database", topology.databases),
        ):
            found += [(kind, name) for name in section]
        return sorted(found)

    def _of(self, known: frozenset[str], name: str | None) -> str:
        if name is None or name == "":
            return ""
        if name in known:
            return name
        self.folded += 1
        return OTHER


def subjects(topology: Topology) -> int:
    """What one probe that checks everything looks at: (check, SBC, core) without repetition."""
    asked = topology.checks
    paths, sbcs = len(topology.paths()), len(topology.sbcs)
    each = {"edge": sbcs, "natural": sbcs}
    found = sum(each.get(name, paths) for name in _SUBJECTS if getattr(asked, name) is not None)
    for check in (asked.register_, asked.call):
        found += sbcs if check is not None and check.natural else 0
    return found


def _targets(topology: Topology) -> list[str]:
    members = [name for core in topology.cores.values() for name in core.members]
    return [*topology.portals, *topology.databases, *members]


def _addresses(topology: Topology) -> list[str]:
    listeners = [address for sbc in topology.sbcs.values() for address in sbc.addresses]
    return [*listeners, *(address for portal in topology.portals.values() for address in portal.addresses)]
