"""Every command: in a panel, with help, an example that is understood, one line for a wrong option, --json."""

import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from web_seed import Seed

from sereno.cli import COMMANDS, root
from sereno.cli._examples import EXAMPLES, PANELS
from sereno.store import open_store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SILENT = {  # what runs until stopped, or prints a document of its own form
    "up", "collector", "probe", "capture-helper", "topology schema", "contract schema", "alarms schema",
    "alarms runbooks", "ledger export",
}  # fmt: skip
HIDDEN = {"capture-helper"}


def walk(path, command):
    """Every command that does something, with its path."""
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, one in below.items():
        yield from walk(f"{path} {name}", one)


LEAVES = {
    path: command
    for name, (module, _) in COMMANDS.items()
    for path, command in walk(name, typer.main.get_command(importlib.import_module(module).app))
}


def options(command):
    return {name for one in command.params for name in one.opts}


def summary(command):
    """The first sentence of the help, as the page has it."""
    return " ".join((command.help or "").strip().split("\n\n")[0].split())


def test_every_command_is_in_one_panel():
    listed = [name for names in PANELS.values() for name in names]
    assert sorted(listed) == sorted(set(COMMANDS) - HIDDEN)


def test_every_command_has_an_example_and_no_other():
    assert set(EXAMPLES) == set(LEAVES)


def test_its_help_and_its_example():
    for path, command in LEAVES.items():
        assert len(summary(command)) > 10, path
        bare = [one.name for one in command.params if one.param_type_name == "option" and not getattr(one, "help", "")]
        assert bare == [], path
        words = shlex.split(re.split(r" [|>] ", EXAMPLES[path])[0])
        assert words[: len(path.split()) + 1] == ["sereno", *path.split()]
        with command.make_context(path, words[len(path.split()) + 1 :]):  # understood, and not run
            pass


def test_who_prints_facts_prints_them_as_json_too():
    assert {path for path, command in LEAVES.items() if "--json" not in options(command)} == SILENT


def test_no_command_takes_an_option_that_it_does_not_have():
    for path, command in LEAVES.items():
        with pytest.raises(typer.exceptions.TyperException, match="--of-nobody") as caught:
            command.make_context(path, ["--of-nobody"])
        assert caught.value.exit_code == 2, path


@pytest.mark.parametrize("path", ["verdicts", "lab up", "incidents ack", "users token add"])
def test_a_wrong_option_is_one_line_and_status_2(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sereno", *path.split(), "--of-nobody"])
    with pytest.raises(SystemExit) as left:
        root.run()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.out == ""
    assert re.fullmatch(r"sereno: .*--of-nobody.*; see --help\n", said.err), said.err


@pytest.mark.parametrize("path", ["", "lab", "incidents list", "users token add", "doctor"])
def test_help_when_piped_is_plain(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sereno", *path.split(), "--help"])
    root.run()
    said = capsys.readouterr().out
    assert "\x1b" not in said
    if path in EXAMPLES:
        assert EXAMPLES[path].split()[-1] in said
    else:
        assert "Usage: sereno" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_closed_lists(shell, monkeypatch, capsys):
    assert complete(shell, "sereno ver", monkeypatch, capsys) >= {"verdicts", "version"}
    assert complete(shell, "sereno incidents a", monkeypatch, capsys) >= {"ack", "assign", "answer"}
    assert complete(shell, "sereno report --format ", monkeypatch, capsys) >= {"pdf", "xlsx"}
    assert complete(shell, "sereno doctor --lang e", monkeypatch, capsys) >= {"es", "en"}
    assert complete(shell, "sereno users token add bot --scope ", monkeypatch, capsys) >= {"read", "alerts"}
    assert complete(shell, "sereno mos --codec G71", monkeypatch, capsys) >= {"G711"}


def test_completion_knows_the_names_in_use(monkeypatch, capsys, tmp_path):
    store = open_store(tmp_path)
    Seed(store, 1_795_300_000_000_000)
    store.dispose()
    monkeypatch.setenv("SERENO_DATA", str(tmp_path))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert complete("bash", "sereno check options --sbc ", monkeypatch, capsys) >= {"sbc-1", "sbc-2"}
    assert "acme-bog" in complete("bash", "sereno availability --scope s", monkeypatch, capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    monkeypatch.setenv("SERENO_DATA", str(tmp_path / "nothing"))
    assert complete("bash", "sereno check options --sbc ", monkeypatch, capsys) == set()


def complete(shell, line, monkeypatch, capsys):
    """What a shell would offer, asked as its script asks."""
    words = line.split(" ")
    monkeypatch.setattr(sys, "argv", ["sereno"])
    monkeypatch.setenv("_SERENO_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", words[-1])
    with pytest.raises(SystemExit):
        typer.main.get_command(root.app).main(prog_name="sereno")
    return set(re.findall(r"[\w-]+", capsys.readouterr().out))


def test_the_page_lists_every_command_with_its_example_and_no_other():
    rows = re.findall(r"^\| `sereno ([^`]+)` \| (.+) \| `(.+)` \|$", PAGE, flags=re.MULTILINE)
    expected = [(path, EXAMPLES[path]) for path in LEAVES if path not in HIDDEN]
    assert sorted((path, example.replace("\\|", "|")) for path, _, example in rows) == sorted(expected)
    assert all(len(said) > 10 for _, said, _ in rows)
