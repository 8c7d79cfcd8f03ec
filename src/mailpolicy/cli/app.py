"""The command tree. A command's module is imported only when that command is run; the root's help imports none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command, get_group

from mailpolicy import __version__
from mailpolicy.cli.context import OPTIONS, USUAL_FORMATS, require_format
from mailpolicy.errors import UsageError
from mailpolicy.policy.names import joined

# name: (module, short help)
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a commented starter store."),
    "account": ("account", "Add, remove, list and suspend accounts."),
    "pop": ("services", "Switch POP on or off, or restrict it to the LAN."),
    "imap": ("services", "Switch IMAP on or off, or restrict it to the LAN."),
    "multipop": ("services", "Switch MultiPOP on or off; manage its sources."),
    "outlook-connector": ("services", "Switch Outlook Connector on or off."),
    "smtp": ("services", "Allow sending, or restrict it to the LAN."),
    "sieve": ("services", "Allow filter changes over ManageSieve."),
    "smart-host": ("smart_host", "Manage the logins for outgoing mail."),
    "server": ("server", "Show and change server-wide settings."),
    "lan": ("lan", "List and change the networks of the LAN."),
    "network": ("network", "Manage named networks and assign them to accounts."),
    "template": ("template", "Manage templates and assign them to accounts."),
    "domain": ("domain", "Rename a domain with all its accounts."),
    "temporary": ("temporary", "List and end exceptions of accounts."),
    "check": ("check", "Tell whether access is allowed, and why."),
    "who": ("who", "List the accounts that can use each service."),
    "export": ("export", "Write the policy as a file for another program."),
    "deploy": ("deploy", "Update this machine's exports, reload servers."),
    "secrets": ("secrets", "Manage the stored passwords and their keys."),
    "doctor": ("doctor", "Check the store, keyring and permissions."),
    "validate": ("validate", "Report all errors and warnings in a store."),
    "schema": ("schema", "Print the JSON Schema of the store."),
    "explain": ("explain", "Explain the codes that validate reports."),
    "test": ("test", "Run test cases against the policy."),
    "diff": ("diff", "Show how access differs between two stores."),
    "replay": ("replay", "Show which past logins would be refused."),
    "help": ("help", "Show the help page of a command."),
    "version": ("version", "Print the version."),
    "completion": ("completion", "Print the completion script of a shell."),
    "import": ("import_", "Take accounts over from MDaemon."),
    "apply": ("apply", "Bring many accounts to a desired state."),
    "install": ("install", "Replace the store with a validated file."),
    "edit": ("edit", "Change the store in your editor, checked on exit."),
    "log": ("log", "List the edits of the store, the newest first."),
    "undo": ("undo", "Take an edit back."),
}
# The groups of the root's help page, most used first; every command is in one.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Every day": (
        "check",
        "account",
        "pop",
        "imap",
        "multipop",
        "outlook-connector",
        "smtp",
        "sieve",
        "temporary",
        "smart-host",
        "who",
    ),
    "Server, networks and templates": ("init", "server", "lan", "network", "template", "domain"),
    "Many changes at once, and history": ("apply", "import", "edit", "install", "log", "undo"),
    "Review": ("validate", "diff", "test", "replay"),
    "Enforcement": ("export", "deploy", "doctor", "secrets"),
    "Help": ("help", "explain", "schema", "completion", "version"),
}
_EPILOG = "Options of every command, such as --file and --json: mailpolicy --help"


class Group(TyperGroup):
    """A command with subcommands; an unknown subcommand is answered with the command line that was probably meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve a subcommand. Raises UsageError if there is none of that name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise self.refusal(ctx, args)
        return super().resolve_command(ctx, args)

    def refusal(self, ctx: Any, args: list[str]) -> UsageError:
        """Return the error for an unknown subcommand."""
        from mailpolicy.cli import suggestions  # 2 ms, only for a mistake

        verbs = [name for name, command in self.commands.items() if not command.hidden]
        return suggestions.refuse_verb(ctx.command_path, args[0], args[1:], verbs)


class LazyGroup(Group):
    """The root command, which imports a command's module only when that command is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str, below: Sequence[str] = ()) -> Any:
        """Return a command, or None if there is none of that name.

        If `below` begins with a subcommand, only that subcommand is built.
        """
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"mailpolicy.cli.commands.{COMMANDS[cmd_name][0]}")
        # The services share one module, which has to know which of them it is for.
        app = module.app(cmd_name) if COMMANDS[cmd_name][0] == "services" else module.app()
        command: Any = get_group(app) if _prune(app, below) else get_command(app)
        command.name = cmd_name
        _finish(command)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve a command, building no more of a group than the subcommand that was named."""
        if args and (command := self.get_command(ctx, args[0], args[1:])) is not None:
            return args[0], command, args[1:]
        return super().resolve_command(ctx, args)

    def refusal(self, ctx: Any, args: list[str]) -> UsageError:
        """Return the error for an unknown command."""
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
        with formatter.section("Options of every command, before it or anywhere after it"):
            formatter.write_dl(
                [(f"{name} {metavar}" if metavar else name, text) for name, (metavar, text) in OPTIONS.items()]
                + [("-h, --help", "show this help page and exit"), ("--version", "print the version and exit")]
            )


def _prune(app: typer.Typer, names: Sequence[str]) -> bool:
    """Remove all subcommands but names[0], and below it all but names[1]; return whether names[0] exists.

    Typer inspects the functions of all subcommands before it runs one, which takes longer than most commands do.
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
    """Add examples, the common epilog, the options of edits and the check of --format to a command and its subcommands."""
    command.epilog = _EPILOG
    _show_examples(command)
    if hasattr(command, "commands"):
        for inner in command.commands.values():
            _finish(inner)
        return
    formats: tuple[str, ...] = getattr(command.callback, "formats", ())
    if len(formats) > 1:
        command.epilog = f"--format is {joined(formats, 'or')}; the default is {formats[0]}.\n\n{_EPILOG}"
    _add_options_of_edits(command)
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            parameter.get_usage_pieces = lambda _context: []  # Typer shows a hidden argument there
    invoke = command.invoke

    def invoke_in_format(context: Any) -> Any:
        require_format(context.obj.context, *(formats or USUAL_FORMATS))
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
    """Declare the output formats of a command that has others than text and JSON."""
    function.formats = names  # type: ignore[attr-defined]
    return function


def edits(function: Callable[..., int], *skippable: str) -> Callable[..., int]:
    """Declare which of --no-cases and --no-journal a command has, if not both or none.

    Both are for a command that has a dry run, as that edits a store that is there.
    """
    function.skippable = skippable  # type: ignore[attr-defined]
    return function


def _add_options_of_edits(command: Any) -> None:
    """Add --no-cases and --no-journal, which are no business of the command's own, to one that edits the store."""
    names = [name for parameter in command.params for name in parameter.opts]
    both = tuple(_SKIPPABLE) if "--dry-run" in names else ()
    place = next((index for index, one in enumerate(command.params) if "--dry-run" in one.opts), len(names))
    for name in getattr(command.callback, "skippable", both):
        command.params.insert(place, _skipping(name))
        place += 1


_SKIPPABLE = {
    "--no-cases": "do not hold this edit against the cases that host.toml names",
    "--no-journal": "do not write this edit down in the journal",
}


def _skipping(name: str) -> TyperOption:
    """Return an option that leaves one of the safeguards of host.toml out."""

    def skip(context: typer.Context, _option: object, given: bool) -> None:
        if given and not context.resilient_parsing:
            context.obj.skipped.add(name)

    text = _SKIPPABLE[name]
    return TyperOption(param_decls=[name], is_flag=True, default=False, expose_value=False, callback=skip, help=text)


def new_app(**settings: Any) -> typer.Typer:
    """Return a Typer application with plain help, plain errors and no options of Typer's own."""
    return typer.Typer(
        **{"cls": Group, **settings},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def keep_group(app: typer.Typer) -> typer.Typer:
    """Return an application that stays a group although it has only one subcommand."""
    app.callback()(lambda: None)
    return app


def root() -> Any:
    """Build the root command."""
    app = new_app(cls=LazyGroup, no_args_is_help=True)

    @app.callback(
        invoke_without_command=True, help="Manage which mail services each account may use, and explain every decision."
    )
    def program(version: bool = typer.Option(False, "--version", help="print the version and exit")) -> None:
        if version:
            typer.echo(f"mailpolicy {__version__}")
            raise typer.Exit

    command = get_command(app)
    _show_examples(command)
    return command
