"""What is asked about: the elements whose results are read, and what else speaks of them. Pure."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from sereno.errors import UsageError
from sereno.topology.model import Topology

Named = tuple[str, str]  # (kind, name)
_SHOWN = 8


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """`elements` are those of results (None: all), `related` those of verdicts, ledger and incidents (None: all).

    `probes` narrows to what these measured.
    """

    kind: str
    name: str
    elements: frozenset[str] | None = None
    related: frozenset[Named] | None = None
    probes: frozenset[str] | None = None

    def concerns(self, kind: str, name: str) -> bool:
        """Whether something said of an element belongs here."""
        if self.related is None or (kind, name) in self.related:
            return True
        if kind == "network":  # "sbc-1/isp-etb"
            return ("sbc", name.partition("/")[0]) in self.related
        return kind in {"service", "monitor"}

    def watches(self, probe: str) -> bool:
        """Whether this probe's own troubles belong here."""
        return self.probes is None or probe in self.probes


class World:
    """Every topology that was in force during a window, the newest last."""

    def __init__(self, topologies: Sequence[Topology]) -> None:
        self.all = tuple(topologies)
        self.newest = topologies[-1]

    def names(self, of: Callable[[Topology], Iterable[str]]) -> list[str]:
        """Names of one kind in any of them."""
        return sorted({name for topology in self.all for name in of(topology)})

    @property
    def paths(self) -> list[str]:
        return self.names(lambda topology: [path.name for path in topology.paths()])


def everything(world: World) -> Selection:
    """The whole service."""
    return Selection(kind="service", name=world.newest.service)


def of_path(world: World, text: str) -> Selection:
    """`--path S/C`."""
    _must("--path", text, world.paths)
    sbc, _, core = text.partition("/")
    related = {("path", text), ("sbc", sbc), ("core", core), *_above(world, [sbc])}
    return Selection(kind="path", name=text, elements=frozenset({text}), related=frozenset(related))


def of_sbc(world: World, text: str) -> Selection:
    """`--sbc S`: its edge, its natural view and its paths."""
    _must("--sbc", text, world.names(lambda topology: topology.sbcs))
    return _of_sbcs(world, "sbc", text, [text])


def of_core(world: World, text: str) -> Selection:
    """`--core C`: the paths to it, and the servers inside it."""
    _must("--core", text, world.names(lambda topology: topology.cores))
    paths = _crossed(world, None, [text])
    members = {name for one in world.all if text in one.cores for name in one.cores[text].members}
    sbcs = sorted({path.partition("/")[0] for path in paths})
    related = {("core", text), *(("path", path) for path in paths), *_above(world, sbcs)}
    elements = {text, *paths, *members, *(f"{text}/{member}" for member in members)}
    return Selection(kind="core", name=text, elements=frozenset(elements), related=frozenset(related))


def of_site(world: World, text: str) -> Selection:
    """`--site X`: the SBCs that it uses and their paths."""
    _must("--site", text, world.names(lambda topology: topology.sites))
    sbcs = sorted({sbc for one in world.all if text in one.sites for sbc in one.sites[text].sbcs})
    return _of_sbcs(world, "site", text, sbcs)


def of_probe(world: World, text: str, seen: Iterable[str]) -> Selection:
    """`--probe P`: what it measured, and what it said of itself; `seen` are the probes that ever reported."""
    _must("--probe", text, sorted({*seen, *world.names(lambda topology: topology.probes)}))
    related = frozenset({("probe", text)})
    return Selection(kind="probe", name=text, related=related, probes=frozenset({text}))


def of_target(world: World, text: str, seen: bool) -> Selection:
    """`--target X`: a portal, a database, or any other name that is checked; `seen`: it has results here."""
    portals = world.names(lambda topology: topology.portals)
    databases = world.names(lambda topology: topology.databases)
    if not seen:
        _must("--target", text, sorted({*portals, *databases}))
    kind = "portal" if text in portals else "database" if text in databases else "target"
    related = frozenset({("portal", text), ("database", text), ("account", text)})
    return Selection(kind=kind, name=text, elements=frozenset({text}), related=related)


def of_parts(world: World, number: int, parts: Iterable[Named]) -> Selection:
    """`--incident N`: all that its causes and symptoms name; the whole service where one of them is that."""
    makers: dict[str, Callable[[World, str], Selection]] = {
        "path": of_path, "sbc": of_sbc, "core": of_core, "site": of_site,
    }  # fmt: skip
    elements: set[str] = set()
    related: set[Named] = set()
    name = f"{number}"
    for kind, of in sorted(set(parts)):
        kind_, of_ = ("sbc", of.partition("/")[0]) if kind == "network" else (kind, of)
        if kind_ in {"portal", "database", "target"}:
            elements.add(of_)
            related.add((kind_, of_))
            continue
        if kind_ not in makers:
            return Selection(kind="incident", name=name)
        try:
            one = makers[kind_](world, of_)
        except UsageError:  # no longer in any topology of that time
            related.add((kind_, of_))
            continue
        elements |= one.elements or set()
        related |= one.related or set()
    return Selection(kind="incident", name=name, elements=frozenset(elements), related=frozenset(related))


def _of_sbcs(world: World, kind: str, name: str, sbcs: Sequence[str]) -> Selection:
    paths = _crossed(world, sbcs, None)
    cores = {path.partition("/")[2] for path in paths}
    related = {(kind, name), *(("sbc", sbc) for sbc in sbcs), *(("path", path) for path in paths)}
    related |= {("core", core) for core in cores} | set(_above(world, sbcs))
    return Selection(kind=kind, name=name, elements=frozenset({*sbcs, *paths}), related=frozenset(related))


def _crossed(world: World, sbcs: Sequence[str] | None, cores: Sequence[str] | None) -> list[str]:
    """Every path that results may lie under: a drill or a natural check may have named a core that is no path's."""
    wanted_sbcs = sbcs if sbcs is not None else world.names(lambda topology: topology.sbcs)
    wanted_cores = cores if cores is not None else world.names(lambda topology: topology.cores)
    return [f"{sbc}/{core}" for sbc in wanted_sbcs for core in wanted_cores]


def _above(world: World, sbcs: Sequence[str]) -> set[Named]:
    """Sites and customers that use these SBCs, and the service."""
    found: set[Named] = set()
    for topology in world.all:
        found.add(("service", topology.service))
        for name, site in topology.sites.items():
            if set(sbcs) & set(site.sbcs):
                found |= {("site", name), ("customer", site.customer)}
    return found


def _must(flag: str, text: str, known: Sequence[str]) -> None:
    if text not in known:
        names = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
        raise UsageError(f"{flag} {text}: there is none of that name in this window; there are {names or 'none'}")
