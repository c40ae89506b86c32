"""The built wheel in an empty folder: six packages, their data files, the C meter, and a command that answers."""

import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"sereno", "probes", "collector", "alerting", "dashboards", "deploy"}
DATA_SUFFIXES = {".yaml", ".html", ".css", ".js", ".po", ".mako", ".json", ".cfg", ".conf", ".svg"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with nothing in it but the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(source),
        ],
        check=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
    (wheel,) = folder.glob("sereno-*.whl")
    unpacked = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def run(site, code):
    """Runs code in an interpreter that sees the wheel before anything else, from an empty folder."""
    empty = site.parent / "empty"
    empty.mkdir(exist_ok=True)
    program = f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv = ['sereno', 'version']\n{code}"
    return subprocess.run([sys.executable, "-I", "-c", program], cwd=empty, capture_output=True, text=True, check=False)


def test_the_wheel_owns_exactly_six_packages(site):
    assert {p.name for p in site.iterdir() if p.is_dir() and not p.name.endswith(".dist-info")} == PACKAGES


def test_data_files_travel_with_it(site):
    missing = [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA_SUFFIXES and not (site / path.relative_to(ROOT)).is_file()
    ]
    assert not missing


def test_the_meter_and_the_command_work_from_the_wheel(site):
    done = run(
        site,
        "import sereno, probes.media._meter as meter, probes.sip._wire as wire\n"
        "import probes.sip._ticker as ticker\n"
        f"assert ticker.__file__.startswith({str(site)!r}), ticker.__file__\n"
        "import probes.sip._ticker as ticker\n"
        f"assert ticker.__file__.startswith({str(site)!r}), ticker.__file__\n"
        f"assert sereno.__file__.startswith({str(site)!r}), sereno.__file__\n"
        f"assert meter.__file__.startswith({str(site)!r}), meter.__file__\n"
        f"assert wire.__file__.startswith({str(site)!r}), wire.__file__\n"
        "from sereno.cli import main\nmain()\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sereno ")


def test_a_preflight_prints_its_page_from_the_wheel(site):
    done = run(
        site,
        "from probes.preflight.base import Line, Say\n"
        "from probes.preflight.words import page\n"
        "line = Line(test='alg', subject='s', state='failed', said=Say('connects'))\n"
        "spanish, english = (page([line], lang, sbc='s', at='now') for lang in ('es', 'en'))\n"
        "assert '<html lang=\"es\"' in spanish and 'SIP ALG' in spanish, spanish\n"
        "assert spanish != english and '<html lang=\"en\"' in english\n",
    )
    assert done.returncode == 0, done.stderr


def test_the_capture_helper_travels_with_it_and_may_be_run(site):
    (wheel,) = site.parent.glob("sereno-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        mode = archive.getinfo("probes/media/capture-helper").external_attr >> 16
    assert stat.S_IMODE(mode) & 0o111 == 0o111
    (helper,) = site.glob("probes/media/capture-helper")
    helper.chmod(0o755)  # the library's unpacking forgets modes, pip's does not
    done = subprocess.run([helper], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("usage: capture-helper FD INTERFACE LOW HIGH")) == (2, True)


def test_the_source_archive_has_all_that_the_c_parts_are_built_from(site):
    source, folder = site.parent / "source", site.parent / "sdist"
    code = f"import setuptools.build_meta as backend\nprint(backend.build_sdist({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (archive,) = folder.glob("sereno-*.tar.gz")
    listed = subprocess.run(["tar", "tzf", archive], check=True, capture_output=True, text=True).stdout
    names = {name.partition("/")[2] for name in listed.splitlines()}
    needed = {
        str(path.relative_to(source))
        for folder in ("probes/media/csrc", "probes/sip/csrc")
        for path in (source / folder).rglob("*.[ch]")
    }
    assert len(needed) > 25
    assert needed <= names
    assert not any(name.endswith((".so", "capture-helper")) for name in names)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["contract", "list"], "callmyway"),
        (["mos", "--codec", "G711", "--json"], '"mos_lq":4.409'),
        (["lab", "--help"], "loopback"),
        (["metrics"], "sereno_verdict_state"),
        (["dashboards", "render", "boards"], "panorama.json"),
        (["rules", "render", "rules"], "sereno-slo.rules.yml"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands_find_their_data_in_the_wheel(site, arguments, said):
    done = run(site, f"sys.argv[1:] = {arguments!r}\nfrom sereno.cli import main\nmain()\n")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
