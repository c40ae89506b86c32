"""Everything a lab reads from disk, rendered for its net into its state directory."""

import secrets
from importlib.resources import files
from pathlib import Path

from deploy.lab.plan import DOMAIN, FAR_END_PORTS, NG_PORT, NUMBERS, SIP_PORT, USERS, Component, Plan

_PRIMARY_FIRST, _BACKUP = 10, 5  # dispatcher priorities: the higher one is tried first


def rpc_socket(state: Path, name: str) -> Path:
    return state / name / "rpc"


def relay_socket(state: Path, name: str) -> Path:
    return state / name / "relay"


def config_file(state: Path, name: str) -> Path:
    return state / name / "kamailio.cfg"


def log_file(state: Path, name: str) -> Path:
    return state / "log" / f"{name}.log"


def render(lab: Plan, state: Path) -> None:
    """Write configuration, secrets, topology and desk; everything readable by the owner only."""
    passwords = {account: secrets.token_urlsafe(18) for account in USERS}
    nonce_secret = secrets.token_urlsafe(18)
    (state / "log").mkdir(mode=0o700)
    for account, password in passwords.items():
        _write(state / "secrets" / f"{account}.secret", password + "\n")
    common = {
        "DOMAIN": DOMAIN,
        "PORT": str(SIP_PORT),
        "NG_PORT": str(NG_PORT),
        "SECRETS": str(state / "secrets"),
        **{one.name.upper().replace("-", "_"): one.address for one in lab.components},
    }
    users = "\n".join(f'\t$sht(users=>{USERS[account]}) = "{word}";' for account, word in passwords.items())
    numbers = "\n".join(f'\t$sht(numbers=>{number}) = "{user}";' for number, user in NUMBERS.items())
    for one in lab.components:
        own = common | {
            "NAME": one.name,
            "ADDRESS": one.address,
            "RPC": str(rpc_socket(state, one.name)),
            "DISPATCHER": str(state / one.name / "dispatcher.list"),
            "USERS": users,
            "NUMBERS": numbers,
            "OTHER_CORE": next((core.address for core in lab.cores if core.name != one.name), ""),
            "NONCE_SECRET": nonce_secret,
        }
        if one.primary is not None:
            own["PRIMARY"] = lab.component(one.primary).address
        _write(config_file(state, one.name), _fill(f"{one.kind}.cfg", own))
        _write(state / one.name / "dispatcher.list", _destinations(one, lab))
    for name in ("topology.yaml", "desk.yaml"):
        _write(state / name, _fill(name, common))


def _destinations(one: Component, lab: Plan) -> str:
    """The dispatcher's file: an SBC's cores, or a core's far ends; `set uri flags priority`."""
    if one.kind == "core":
        return "".join(f"1 sip:{one.address}:{port} 0 0\n" for port in FAR_END_PORTS)
    return "".join(
        f"1 sip:{core.address}:{SIP_PORT} 0 {_PRIMARY_FIRST if core.name == one.primary else _BACKUP}\n"
        for core in lab.cores
    )


def _fill(template: str, values: dict[str, str]) -> str:
    text = (files("deploy.lab") / "templates" / template).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
