"""Reads topologies: from a file, from the store, from the wire; and says which part a probe needs."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from sereno.errors import ConfigError
from sereno.topology import validate
from sereno.topology.model import Database, Sbc, Secret, Topology
from sereno.yamlfile import dotted, parse_document, read_document, validated

_NEVER = ("customers", "sites", "retention")  # sections that stay at home
# Sections that only some need: for which checks, and whether they are for inside probes alone when nobody is told.
_NEEDED_BY: dict[str, tuple[set[str], bool]] = {
    "portals": ({"https", "dns"}, False),
    "databases": ({"database"}, True),
    "traffic": ({"traffic"}, True),
}
_RESOLVING = {"edge", "options", "natural", "https"}  # checks that ask the resolvers of `checks.dns`

_CHALLENGED = frozenset({"edge", "options", "natural"})  # checks that answer a 401 or 407 (RFC 3261 section 22)


def load_topology(path: str | Path) -> Topology:
    """The topology in a file, strictly validated as a whole; ConfigError (one line) for the first fault.

    Relative file names in it are relative to the file itself.
    """
    where = Path(path)
    document = read_document(where)
    topology = validated(document, Topology)
    validate.check(document, topology)
    return _anchored(topology, where.resolve().parent)


def parse_topology(name: str, raw: bytes) -> Topology:
    """The same from bytes; `name` stands for the file in errors."""
    document = parse_document(name, raw)
    topology = validated(document, Topology)
    validate.check(document, topology)
    return topology


def topology_from_json(data: dict[str, Any]) -> Topology:
    """A topology (or a probe's part) that was validated before it was stored or sent; ConfigError if it is not one."""
    try:
        return Topology.model_validate_json(msgspec.json.encode(data))
    except ValidationError as error:
        item = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError("topology", f"{dotted(item['loc'])}: {item['type']}", "send one that was validated") from None
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise ConfigError("topology", "is not one", "send one that was validated") from None


def as_json(topology: Topology) -> dict[str, Any]:
    """Plain data as written in a file (durations in microseconds, `900000us`)."""
    return topology.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


def canonical_json(topology: Topology) -> str:
    """One text per meaning: sorted keys, no defaults written out."""
    return msgspec.json.encode(as_json(topology), order="sorted").decode()


def topology_hash(topology: Topology) -> str:
    """SHA-256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(topology).encode()).hexdigest()


def part_for(topology: Topology, probe: str) -> dict[str, Any]:
    """What one probe needs: elements, its checks and their accounts (secrets by reference), its own entry.

    Customers, sites and contracts stay at home; portals, databases and traffic go to whoever looks at them: a probe
    that is told so by its `checks`; without any, every probe at portals and an inside one at the rest.
    """
    plain = as_json(topology)
    own = plain.get("probes", {}).get(probe)
    plain["probes"] = {probe: own} if own is not None else {}
    named = set(own.get("checks", ())) if own is not None else set()
    for section in _NEVER:
        plain.pop(section, None)
    for section, (checks, inside) in _NEEDED_BY.items():
        untold = own is None or ("checks" not in own and (not inside or own.get("vantage") == "inside"))
        if not untold and not named & checks:
            plain.pop(section, None)
    if named:
        kept = named | ({"dns"} if named & _RESOLVING else set())
        plain["checks"] = {kind: check for kind, check in plain.get("checks", {}).items() if kind in kept}
        used = _accounts(plain["checks"])
        if named & _CHALLENGED:  # a challenge may come from any realm that an account is for
            used |= set(plain.get("accounts", {}))
        plain["accounts"] = {name: one for name, one in plain.get("accounts", {}).items() if name in used}
    return plain


def _accounts(checks: dict[str, Any]) -> set[str]:
    """The accounts that some checks log in with."""
    used = set(checks.get("register", {}).get("accounts", ()))
    for kind in ("call", "terminating", "pstn"):
        given = checks.get(kind, {})
        used |= {given.get("account"), given.get("callee"), *given.get("numbers", {}).values()}
    return used - {None}


def resolve_secret(secret: Secret, account: str) -> str | None:
    """The secret of an account, or None when it cannot be had here; see `explain_secret` for why.

    Order: `SERENO_SECRET_<ACCOUNT>`, the environment variable referred to, the file referred to.
    """
    return explain_secret(secret, account)[0]


def explain_secret(secret: Secret, account: str) -> tuple[str | None, str]:
    """The secret and nothing, or None and where it was looked for in vain."""
    variable = "SERENO_SECRET_" + account.upper().replace("-", "_").replace(".", "_")
    for name in filter(None, (variable, secret.env)):
        value = os.environ.get(name)
        if value:
            return value, ""
    if secret.file is None:
        return None, f"no secret for {account}: set {variable}"
    try:
        value = Path(secret.file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "is not text"
        return None, f"no secret for {account}: {secret.file}: {words}; mend the file or set {variable}"
    if not value:
        return None, f"no secret for {account}: {secret.file} is empty; write it there or set {variable}"
    return value, ""


def _anchored(topology: Topology, folder: Path) -> Topology:
    """The same topology with every file reference absolute."""

    def anchor(secret: Secret) -> Secret:
        return secret if secret.file is None else secret.model_copy(update={"file": str(folder / secret.file)})

    def database(one: Database) -> Database:
        backup = one.backup and one.backup.model_copy(update={"status_file": str(folder / one.backup.status_file)})
        return one.model_copy(update={"dsn": anchor(one.dsn), "backup": backup})

    def sbc(one: Sbc) -> Sbc:
        if one.tls is None:
            return one
        given = ((key, getattr(one.tls, key)) for key in ("ca", "certificate", "key"))
        files = {key: str(folder / name) for key, name in given if name is not None}
        return one.model_copy(update={"tls": one.tls.model_copy(update=files)})

    accounts = {n: a.model_copy(update={"password": anchor(a.password)}) for n, a in topology.accounts.items()}
    sbcs = {name: sbc(one) for name, one in topology.sbcs.items()}
    databases = {name: database(one) for name, one in topology.databases.items()}
    portals = {
        name: one if one.ca is None else one.model_copy(update={"ca": str(folder / one.ca)})
        for name, one in topology.portals.items()
    }
    traffic = {
        name: one if one.login is None else one.model_copy(update={"login": anchor(one.login)})
        for name, one in topology.traffic.items()
    }
    return topology.model_copy(
        update={"accounts": accounts, "databases": databases, "sbcs": sbcs, "portals": portals, "traffic": traffic}
    )
