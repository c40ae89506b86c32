"""Programs and modules that a running Sereno needs beside itself."""

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

_BUILD = "build it: `python setup.py build_ext --inplace`, or install the wheel"
_NEEDED = {
    "mosquitto": broken(
        "mosquitto is not installed: `sereno up` has no broker", "apt-get install mosquitto, or run `make setup`"
    ),
    "pjsua2": warning(
        "pjsua2 is not installed: registrations and calls are not measured",
        "pip install pjsua2-python==2.15.1.post1",
    ),
    "probes.media._meter": warning("the C meter is not built: RTP is not measured", _BUILD),
    "probes.sip._wire": broken("the SIP client is not built: OPTIONS are not measured", _BUILD),
}


def look(patient: Patient) -> Mapping[str, bool]:
    """By name, whether it is here."""
    found = {name: importable(name) for name in list(_NEEDED)[1:]}
    if patient.asked.database is None and patient.asked.broker is None:
        found["mosquitto"] = installed("mosquitto", os.environ.get("PATH", ""))
    return found


def installed(program: str, path: str) -> bool:
    """Whether a program is on this path, or where Debian keeps those of administrators."""
    return shutil.which(program, path=f"{path}:/usr/sbin:/usr/local/sbin") is not None


def importable(name: str) -> bool:
    """Whether a module is there, without running it."""
    package, _, leaf = name.rpartition(".")
    if not package:
        return importlib.util.find_spec(name) is not None
    folder = importlib.util.find_spec(package)
    places = (folder.submodule_search_locations or []) if folder is not None else []
    return any(any(Path(place).glob(f"{leaf}*.so")) for place in places)


def judge(programs: Mapping[str, bool]) -> Iterator[Finding]:
    """What is missing, and what does not work for it."""
    yield from (_NEEDED[name] for name, here in programs.items() if not here)
    if all(programs.values()):
        yield ok("installed: {names}", names=", ".join(programs))


QUESTION = Question(name="programs", title="Programs", look=look, judge=judge)
