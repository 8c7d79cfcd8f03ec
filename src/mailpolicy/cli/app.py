"""The tree of commands: a module is imported when its command is named.

Promises: `--help` of the whole program imports no command. Not promised: anything about what a command does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from mailpolicy import __version__
from mailpolicy.cli.context import OPTIONS
from mailpolicy.cli.output import require_format
from mailpolicy.errors import UsageError

# name: (module, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "write a commented starter store"),
    "account": ("account", "add, remove, rename, list, show, suspend and resume accounts"),
    "pop": ("services", "switch POP on or off, for the LAN only or from anywhere"),
    "imap": ("services", "switch IMAP on or off, for the LAN only or from anywhere"),
    "multipop": ("services", "switch MultiPOP collection on or off, and say where it collects"),
    "outlook-connector": ("services", "switch Outlook Connector on or off"),
    "smart-host": ("smart_host", "set, clear and show the logins that mail goes out with"),
    "server": ("server", "show and set what holds for the whole server"),
    "lan": ("lan", "list, add, remove and reset the LAN's networks"),
    "template": ("template", "add, remove, rename, list, show, assign and unassign templates"),
    "check": ("check", "say whether a user would be allowed, and why"),
    "who": ("who", "say who could use a service, and from where"),
    "export": ("export", "write the policy as a file that Dovecot, Postfix, Exim or fetchmail reads"),
    "deploy": ("deploy", "bring the exports of this machine up to date and tell the servers"),
    "secrets": ("secrets", "seal secrets in a file, rotate its key, list, verify and move secrets"),
    "doctor": ("doctor", "check the store, the keyring and their permissions, each with its cure"),
    "validate": ("validate", "find every error and every warning in a store"),
    "schema": ("schema", "print the JSON Schema of the store, for editors"),
    "explain": ("explain", "say what a code of validate means, with an example and its cure"),
    "test": ("test", "run test cases against the policy"),
    "diff": ("diff", "show access changes between two stores, with the keys that cause them"),
    "replay": ("replay", "say which logins of a log this policy would refuse"),
    "help": ("help", "show the help page of a command"),
    "version": ("version", "print the version"),
    "completion": ("completion", "print the completion script of a shell"),
    "install": ("install", "replace the store with FILE: validated, compared, written atomically"),
}
# The groups of the root's help page, most used first; every command is in one.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Every day": ("check", "account", "pop", "imap", "multipop", "outlook-connector", "smart-host", "who"),
    "Server and templates": ("init", "server", "lan", "template"),
    "Review": ("validate", "diff", "test", "replay", "install"),
    "Enforcement": ("export", "deploy", "doctor", "secrets"),
    "Help": ("help", "explain", "schema", "completion", "version"),
}
USUAL_FORMATS = ("text", "json")
_EPILOG = "Options that every command takes: mailpolicy --help"


class Group(TyperGroup):
    """A noun with its verbs; who writes another word is told the right line."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual. Raises UsageError for a word that is no command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise self.refusal(ctx, args)
        return super().resolve_command(ctx, args)

    def refusal(self, ctx: Any, args: list[str]) -> UsageError:
        """What is said of a word that is no command."""
        from mailpolicy.cli import suggestions  # 2 ms, only for a mistake

        verbs = [name for name, command in self.commands.items() if not command.hidden]
        return suggestions.refuse_verb(ctx.command_path, args[0], args[1:], verbs)


class LazyGroup(Group):
    """The root: knows its commands by name and imports the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str, below: Sequence[str] = ()) -> Any:
        """The command of that name, None where there is none; if `below` names one of its own, without the others."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"mailpolicy.cli.commands.{COMMANDS[cmd_name][0]}")
        app = module.app(cmd_name) if COMMANDS[cmd_name][0] == "services" else module.app()
        command: Any = get_group(app) if _prune(app, below) else get_command(app)
        command.name = cmd_name
        _finish(command)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, but of a group no more than the command that is named is built."""
        if args and (command := self.get_command(ctx, args[0], args[1:])) is not None:
            return args[0], command, args[1:]
        return super().resolve_command(ctx, args)

    def refusal(self, ctx: Any, args: list[str]) -> UsageError:
        """What is said of a word that is no command."""
        from mailpolicy.cli import suggestions  # 2 ms, only for a mistake

        def verbs(noun: str) -> list[str]:
            commands: dict[str, Any] = getattr(self.get_command(ctx, noun), "commands", {})
            return [name for name, command in commands.items() if not command.hidden]

        return suggestions.refuse_noun(args[0], args[1:], COMMANDS, verbs)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the groups of commands, without importing any."""
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups of commands, and then the options that every command takes."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options for every command, before it or anywhere after it"):
            formatter.write_dl(
                [(f"{name} {metavar}" if metavar else name, text) for name, (metavar, text) in OPTIONS.items()]
                + [("-h, --help", "show this help page and exit"), ("--version", "print the version and exit")]
            )


def _prune(app: typer.Typer, names: Sequence[str]) -> bool:
    """Take out all but the command that is named first; return whether there is such a command.

    Typer looks at the functions of all commands of a group before it runs one, which takes longer than most commands do.
    """
    commands = [command for command in app.registered_commands if names and command.name == names[0]]
    groups = [group for group in app.registered_groups if names and group.name == names[0]]
    if not commands and not groups:
        return False
    app.registered_commands, app.registered_groups = commands, groups
    for group in groups:
        if group.typer_instance is not None:
            _prune(group.typer_instance, names[1:])
    return True


def _finish(command: Any) -> None:
    """Give a command and those below it their examples, an epilog, and a check of the format asked for."""
    command.epilog = _EPILOG
    _show_examples(command)
    if hasattr(command, "commands"):
        for inner in command.commands.values():
            _finish(inner)
        return
    invoke = command.invoke

    def invoke_in_format(context: Any) -> Any:
        require_format(context.obj.context, *getattr(command.callback, "formats", USUAL_FORMATS))
        return invoke(context)

    command.invoke = invoke_in_format


def _show_examples(command: Any) -> None:
    """Put the examples of a command right after the usage line of its help page."""
    format_usage = command.format_usage

    def format_usage_and_examples(context: Any, formatter: Any) -> None:
        from mailpolicy.cli import examples  # only for a help page

        format_usage(context, formatter)
        if lines := examples.of(context.command_path.partition(" ")[2]):
            with formatter.section("Examples"):
                formatter.write("".join([f"  {line}\n" for line in lines]))

    command.format_usage = format_usage_and_examples


def with_formats(function: Callable[..., int], *names: str) -> Callable[..., int]:
    """Return the function of a command that has these formats, if they are not just text and JSON."""
    function.formats = names  # type: ignore[attr-defined]
    return function


def new_app(**settings: Any) -> typer.Typer:
    """A Typer application of this program: plain help, plain errors, no options of Typer's own."""
    return typer.Typer(
        **{"cls": Group, **settings},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def root() -> Any:
    """The root command."""
    app = new_app(cls=LazyGroup, no_args_is_help=True)

    @app.callback(
        invoke_without_command=True, help="Which mail services each account may use: one file, explained answers."
    )
    def program(version: bool = typer.Option(False, "--version", help="print the version and exit")) -> None:
        if version:
            typer.echo(f"mailpolicy {__version__}")
            raise typer.Exit

    command = get_command(app)
    _show_examples(command)
    return command
