"""The tree of commands, as the command library sees it."""

import importlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sereno.cli import COMMANDS, fail
from sereno.cli._examples import EXAMPLES, PANELS

_HIDDEN = {"capture-helper"}


class _LazyGroup(TyperGroup):
    """Finds commands by name and imports their module on first use."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the panels; what is in none comes last."""
        del ctx
        ranked = [name for names in PANELS.values() for name in names]
        return [*(name for name in ranked if name in COMMANDS), *(n for n in COMMANDS if n not in {*ranked, *_HIDDEN})]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Lists every command by its summary alone."""
        self._listing = True
        super().format_help(ctx, formatter)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        path, summary = COMMANDS[cmd_name]
        if self._listing:
            panel = next((title for title, names in PANELS.items() if cmd_name in names), None)
            return TyperCommand(name=cmd_name, help=summary, rich_help_panel=panel)
        module = importlib.import_module(path)
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.help = command.help or summary
        _with_examples(cmd_name, command)
        if "_SERENO_COMPLETE" in os.environ:
            from sereno.cli._complete import offer

            offer(command)
        return command


def _with_examples(path: str, command: Any) -> None:
    """Every command below this one shows its example under its help."""
    example = EXAMPLES.get(path)
    if example is not None:
        command.epilog = f"Example: {example}"
    for name, below in getattr(command, "commands", {}).items():
        _with_examples(f"{path} {name}", below)


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True)


def _version(asked: bool) -> None:
    if asked:
        from sereno.version import __version__

        print(f"sereno {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Sereno watches a dual-core SIP softswitch and wakes the right person, once, with the evidence."""


def run() -> object:
    """Run the command of the command line; its status, if it gives one. Usage errors end it with one line."""
    command = typer.main.get_command(app)
    try:
        return command.main(prog_name="sereno", standalone_mode=False)
    except typer.exceptions.TyperException as error:
        message = error.format_message()
        if message:
            fail(message.rstrip(".") + "; see --help", 2)
        return 2
    except typer.Abort:
        return 130
