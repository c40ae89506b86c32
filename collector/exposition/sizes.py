"""How many series there are: of a system that works as configured, and at most, whatever probes send."""

from collections.abc import Mapping

from collector.exposition import kinds
from collector.exposition.catalogue import CATALOGUE, Declared
from collector.exposition.names import (
    CODECS,
    CODES,
    DIRECTIONS,
    GAUGES,
    SPARE_PROBES,
    UNSENT,
    Names,
    subjects,
)
from sereno.topology import Topology
from sereno.wire import CHECKS

_OUTCOMES = 3
_CODE_WORDS = len(CODES) + len(UNSENT) + 7  # six classes, and other
_CODEC_WORDS = len(CODECS) + 2  # other, and none
_CHANNELS = 16  # the desk's file names them; more than anybody has


def expected(topology: Topology, codecs: int = 1) -> dict[str, int]:
    """By metric: every probe checks everything, all is well, calls use so many codecs."""
    asked, paths, probes = topology.checks, len(topology.paths()), len(topology.probes)
    calls = paths if asked.call is not None else 0
    return _counted(
        {
            "probes": probes,
            "results": subjects(topology),
            "codes": subjects(topology),
            "subjects": subjects(topology),
            "registrations": paths if asked.register_ is not None else 0,
            "calls": calls,
            "streams": len(DIRECTIONS) * codecs,
            "media": calls * len(DIRECTIONS) * codecs,
            "channels": 2,
            "unmeasured": 0,
            "found": 0,
            "refusals": 0,
            **_fixed(topology),
            "targets": sum(_targets(topology).values()),
            "listeners": sum(len(sbc.addresses) for sbc in topology.sbcs.values() if sbc.tls is not None)
            + 2 * len(topology.portals),
            **_targets(topology),
        }
    )


def at_most(topology: Topology) -> dict[str, int]:
    """By metric, whatever is sent: probes that nobody named, odd codes, codecs and names included."""
    names = Names(topology)
    places = (len(topology.sbcs) + 2) * (len(topology.cores) + 2)  # other, and none
    probes = len(topology.probes) + SPARE_PROBES + 1
    return _counted(
        {
            "probes": probes,
            "results": names.limit("sereno_check_results_total") + len(CHECKS) * _OUTCOMES,
            "codes": names.limit("sereno_sip_responses_total") + len(CHECKS) * _CODE_WORDS,
            "subjects": places * len(CHECKS),
            "registrations": places,
            "calls": places,
            "streams": len(DIRECTIONS) * _CODEC_WORDS,
            "media": names.limit("sereno_rtp_packets_total") + len(DIRECTIONS) * _CODEC_WORDS,
            "channels": _CHANNELS,
            "unmeasured": len(kinds.UNMEASURED),
            "refusals": len(kinds.REFUSALS),
            **_fixed(topology),
            **dict.fromkeys(("targets", "portals", "databases", "traffic", "listeners", "found"), GAUGES),
        }
    )


def _targets(topology: Topology) -> dict[str, int]:
    return {
        "portals": len(topology.portals),
        "databases": len(topology.databases),
        "traffic": len(topology.traffic),
    }


def _fixed(topology: Topology) -> dict[str, int]:
    return {
        "one": 1,
        "elements": len(Names(topology).elements()),
        "sites": max(1, len(topology.sites)),
        "canaries": sum(len(probe.canaries) for probe in topology.probes.values()),
        "states": len(kinds.STATES),
        "periods": len(kinds.PERIODS),
        "priorities": len(kinds.PRIORITIES),
        "incidents": len(kinds.INCIDENT_STATES),
        "clocks": len(kinds.CLOCKS),
        "outcomes": len(kinds.OUTCOMES),
        "doubts": len(kinds.DOUBTS),
    }


def _counted(sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: _count(one, sizes) for name, one in CATALOGUE.items()}


def _count(one: Declared, sizes: Mapping[str, int]) -> int:
    found = 1
    words = one.series.split()
    if sizes.get(words[-1]) == GAUGES:  # of all probes together
        return GAUGES
    for word in words:
        found *= sizes[word] if word != "buckets" else len(one.bounds) + 3
    return found
