"""The console script `xtal`: finds the command, runs it, and turns every error into one line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer.core import TyperGroup
from typer.exceptions import TyperException

import xtal_core
from xtal_core.cli import BUILT_IN_COMMANDS
from xtal_core.errors import OptionError, PluginError, XtalError
from xtal_core.suggest import suggest

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

    from xtal_core.registry import Registry

INTERRUPTED = 130

EXIT_CODES = "Exit codes: 0 done; 1 failed; 2 bad input; 3 a plugin's fault; 130 interrupted."


class LazyCommands(TyperGroup):
    """The commands of `xtal`: built-in ones and those that plugins offer, each imported when it is called."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return [*BUILT_IN_COMMANDS, *_registry().names("command")]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """Import and return the command called `cmd_name`. Raises PluginError when a plugin's cannot be."""
        if cmd_name in BUILT_IN_COMMANDS:
            module = import_module(f"xtal_core.cli.{cmd_name}")
            settings = {**self.context_settings, **getattr(module, "CONTEXT_SETTINGS", {})}
            application = typer.Typer(add_completion=False, rich_markup_mode=None)
            application.command(cmd_name, epilog=EXIT_CODES, context_settings=settings)(getattr(module, cmd_name))
            return typer.main.get_command(application)
        registry = _registry()
        if cmd_name not in registry.offers["command"]:
            return None
        application = registry.resolve("command", cmd_name)
        if not isinstance(application, typer.Typer):
            raise PluginError(cmd_name, f"its factory is a {type(application).__name__}, not a Typer application")
        return typer.main.get_command(application)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands for `--help` without importing any of them."""
        rows = list(BUILT_IN_COMMANDS.items())
        rows += [
            (name, _sentence(offer.record.summary)) for name, offer in sorted(_registry().offers["command"].items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Return the command that `args` call. Raises OptionError, naming the nearest, when there is none."""
        if not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            hint = suggest(args[0], self.list_commands(ctx), "commands are")
            raise OptionError(f"there is no command '{args[0]}'", hint + _broken_plugins())
        return super().resolve_command(ctx, args)


def _registry() -> Registry:
    from xtal_core.registry import installed_registry

    return installed_registry()


def _sentence(summary: str) -> str:
    """Return a plugin's summary in the form of those of the built-in commands."""
    return f"{summary[:1].upper()}{summary[1:].rstrip('.')}."


def _broken_plugins() -> str:
    failures = _registry().failures
    return f" ({len(failures)} plugin failure(s): see xtal plugins)" if failures else ""


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"xtal {xtal_core.__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="XTAL_DEBUG", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Solve crystal structures from powder diffraction, and tell when two structures are the same."""


def _commands() -> TyperGroup:
    application = typer.Typer(
        cls=LazyCommands,
        add_completion=False,
        rich_markup_mode=None,
        epilog=EXIT_CODES,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_options)
    return typer.main.get_group(application)


def main(argv: list[str] | None = None) -> int:
    """Run `xtal` with the arguments `argv` (default: those of the process) and return its exit code."""
    # spglib writes to standard error from C whenever it tries again with a smaller tolerance.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    context: Any = None
    try:
        commands = _commands()
        with commands.make_context("xtal", arguments) as context:
            commands.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("xtal: interrupted", file=sys.stderr)
        return INTERRUPTED
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            return _leave_closed_pipe()
        if context is not None and context.params.get("debug"):
            import traceback

            traceback.print_exc()
        message, exit_code = _explain(error, context.invoked_subcommand if context is not None else None)
        print(f"xtal: error: {' '.join(message.split())}", file=sys.stderr)
        return exit_code


def _explain(error: Exception, command: str | None) -> tuple[str, int]:
    """Return what to tell the user about `error`, raised by `command`, and the exit code."""
    if isinstance(error, XtalError):
        return str(error), error.exit_code
    if isinstance(error, TyperException):
        path = " ".join(["xtal", *([command] if command else []), "--help"])
        return f"{error.format_message().rstrip('.')}; see {path}", error.exit_code
    if command is not None and command not in BUILT_IN_COMMANDS:
        fault = PluginError(command, f"{type(error).__name__}: {error}")
        return str(fault), fault.exit_code
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}", XtalError.exit_code
    return f"{type(error).__name__}: {error}; this is a bug: run `xtal --debug …` and report it", XtalError.exit_code


def _leave_closed_pipe() -> int:
    """Return the exit code after a reader such as `head` closed our output, and keep Python quiet about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return XtalError.exit_code
