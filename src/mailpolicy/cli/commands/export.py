"""The command export: write the policy as a file that another program reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.exports import Exporter, difference, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import when
from mailpolicy.cli.when_options import AtOption
from mailpolicy.deploy import coverage
from mailpolicy.deploy.configured import default_file
from mailpolicy.deploy.managed import GeneratedFile, inspect, update
from mailpolicy.errors import Refused, UsageError
from mailpolicy.export import SNIPPETS, TARGETS, Options, Target
from mailpolicy.export.options import OptionRejected, explain_lock, parse_options, target_named
from mailpolicy.export.request import DIALECTS, MAPS, STRATEGIES, VERSIONS
from mailpolicy.export.stamp import State, stamped
from mailpolicy.system.held import Held

if TYPE_CHECKING:
    from mailpolicy.policy.when import When


# What the kernel leads to an open file of this process: it has no folder in which it could be replaced.
_STREAM = re.compile(r"|-|/dev/std(?:in|out|err)|(?:/dev/fd|/proc/self/fd)/[0-9]+")


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    listed = "\n".join(f"  {name:<21} {target.description}" for name, target in TARGETS.items())
    command.command(
        help="Write the policy as a file that another program reads and enforces.\n\n"
        f"\b\nTargets:\n{listed}\n\n"
        "Without --output the file goes to stdout. Exit status: 0 written or up to date; 1 with --check if it is not."
    )(_export)
    return command


def _export(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", show_default=False, help="what to write")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="the file to write; it is replaced atomically")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 if the file is out of date")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="write nothing; show the diff, secrets masked")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace a file that was edited by hand")] = False,
    dovecot: Annotated[
        str | None, typer.Option("--dovecot", metavar="VERSION", help=f"dovecot-conf: {' or '.join(VERSIONS)}")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="PATH", help="-conf and -query targets: path of the file they read")
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option("--dialect", metavar="NAME", help=f"targets with sql in their names: {', '.join(DIALECTS)}"),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", metavar="NAME", help=f"dovecot: {' (default) or '.join(STRATEGIES)}"),
    ] = None,
    lock: Annotated[
        str | None,
        typer.Option("--lock", metavar="TEXT", hidden=True),  # of old, answered with what replaces it
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option("--token-file", metavar="PATH", help="dovecot: file with the installation's random token"),
    ] = None,
    default_domain: Annotated[
        str | None,
        typer.Option(
            "--default-domain", metavar="NAME", help="Dovecot's configuration: domain of user names without one"
        ),
    ] = None,
    map_type: Annotated[
        str | None, typer.Option("--map", metavar="TYPE", help=f"postfix-conf: {', '.join(MAPS)}")
    ] = None,
    sender_login: Annotated[
        str | None, typer.Option("--sender-login", metavar="PATH", help="postfix-conf: path of the sender login map")
    ] = None,
    postmap: Annotated[
        str | None,
        typer.Option("--postmap", metavar="TYPE", help=f"postfix: build the map with postmap: {', '.join(MAPS[1:])}"),
    ] = None,
    smtp: Annotated[
        str | None,
        typer.Option("--smtp", metavar="HOST/PORT", help="fetchmail: where to deliver (default: 127.0.0.1/25)"),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="ADDRESS/NAME", help="getmail: the source to collect from")
    ] = None,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    if lock is not None:
        message, fix = explain_lock(lock)
        raise UsageError(f"--lock: {message}", fix=fix)
    given: dict[str, Any] = {
        "dovecot": dovecot,
        "data": data,
        "dialect": dialect,
        "strategy": strategy,
        "token_file": token_file,
        "default_domain": default_domain,
        "map": map_type,
        "sender_login": sender_login,
        "postmap": postmap,
        "smtp": smtp,
        "source": source,
    }
    given = {name: value for name, value in given.items() if value is not None}
    try:
        wanted = target_named(target)
        chosen = parse_options(target, given)
    except OptionRejected as error:
        raise UsageError(
            f"--{error.option.replace('_', '-')}: {error}" if error.option in given else str(error)
        ) from None
    if output is not None and _STREAM.fullmatch(output):
        raise UsageError("--output needs a file; without it the export goes to stdout")
    if output is None:
        for name, value in (("--check", check), ("--diff", diff), ("--force", force), ("--postmap", postmap)):
            if value:
                raise UsageError(f"{name} needs a file: --output PATH")
        return _to_stdout(out, target, wanted, chosen, moment)
    if moment is not None:
        raise UsageError("--at shows what an export will be, so it cannot be combined with --output")
    return _to_file(
        out, target, chosen, default_file(wanted, output, postmap=postmap)._replace(force=force), check, diff
    )


def _to_stdout(out: Output, name: str, target: Target, chosen: Options, at: When | None) -> int:
    secret = target.secret or (chosen.token is not None and name == "dovecot")
    if secret and out.context.stdout_is_terminal:
        raise Refused(f"{name} contains secrets and is not written to a terminal: use --output PATH", code="terminal")
    made = Exporter(out, at).make(target, chosen)
    for note in made.notes:
        out.message(note)
    content = stamped(name, made.body).decode("utf-8")
    if out.context.format == "json":
        out.json("export/1", {"file": out.context.file, "target": name, "content": content, "notes": list(made.notes)})
    else:
        out.data(content)
    return 0


def _to_file(out: Output, name: str, chosen: Options, generated: GeneratedFile, check: bool, diff: bool) -> int:
    target = TARGETS[name]
    refuse_own(out, generated.path)
    exporter = Exporter(out)
    notes: list[str] = []
    made: list[bytes] = []

    is_snippet, dry_run = name in SNIPPETS, check or diff
    body: list[str] = []

    def make(_: bytes | None) -> bytes:
        exported = exporter.make(target, chosen)
        notes[:], body[:] = exported.notes, [exported.body]
        made[:] = [stamped(name, exported.body)]
        return made[0]

    def before_replace(file: Held, before: bytes | None, wanted: bytes) -> None:
        if name == "dovecot-conf":
            coverage.refuse_uncovered(out.machine().exports, chosen.data or "", body[0])

    found = inspect(generated, make) if dry_run else update(generated, make, out.context.lock_timeout, before_replace)
    if is_snippet and found.state is not State.CURRENT:
        notes += coverage.explain_change(found.before, body[0], reloads=dry_run)
    for note in (*notes, *found.notes):
        out.message(note)
    differs = found.state is not State.CURRENT or bool(found.notes)
    out.change_made = found.changed and not dry_run and found.reload_error is None
    if diff and out.context.format != "json":
        out.patch(difference(generated.path, target, found.before, made[0]))
    elif out.shows_results(dry_run=check or diff):
        _report(out, name, generated, str(found.state), changed=found.changed, dry_run=check or diff, differs=differs)
    if found.reload_error is not None:
        raise found.reload_error
    return int(check and differs)


def _report(
    out: Output, name: str, generated: GeneratedFile, state: str, *, changed: bool, dry_run: bool, differs: bool
) -> None:
    if out.context.format == "json":
        content = {"file": out.context.file, "target": name, "path": generated.path, "state": state, "changed": changed}
        out.json("export/1", content)
    elif dry_run:
        out.record((generated.path, name, state, "differs" if differs else "ok"))
    else:
        out.record((generated.path, name, *(("updated", "changed") if changed else ("up to date", "ok"))))
