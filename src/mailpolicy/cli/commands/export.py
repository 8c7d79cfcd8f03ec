"""export: the policy as a file that another program reads."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.exports import Workshop, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.deploy.configured import place_for
from mailpolicy.deploy.managed import Place, look, put
from mailpolicy.errors import Refused, UsageError
from mailpolicy.export import TARGETS, Options, Target
from mailpolicy.export.options import OptionRejected, parse_options, target_named
from mailpolicy.export.request import LOCKABLE, MAPS, STRATEGIES, VERSIONS
from mailpolicy.export.stamp import State, stamped
from mailpolicy.policy.names import printable


def app() -> typer.Typer:
    """The command export."""
    command = new_app()
    listed = "\n".join(f"  {name:<21} {target.description}" for name, target in TARGETS.items())
    command.command(
        help="Write the policy as a file that another program reads, so that it enforces what `check` says.\n\n"
        f"\b\nTargets:\n{listed}\n\n"
        "Without --output the file goes to stdout. Exit status: 0 written or already so, 1 with --check if it is not."
    )(_export)
    return command


def _export(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", show_default=False, help="what to write")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="the file to write, replaced whole")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing, exit 1 if the file is not so")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="write nothing, show what would change, without secrets")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="replace a file that was edited by hand")] = False,
    dovecot: Annotated[
        str | None, typer.Option("--dovecot", metavar="VERSION", help=f"dovecot-conf: {' or '.join(VERSIONS)}")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="PATH", help="the -conf targets: where the data file will lie")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", metavar="NAME", help=f"dovecot: {' (as usual) or '.join(STRATEGIES)}"),
    ] = None,
    lock: Annotated[
        str | None,
        typer.Option("--lock", metavar="SERVICES", help=f"dovecot: close {','.join(LOCKABLE)} to the suspended too"),
    ] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="PATH", help="dovecot: the installation's random token")
    ] = None,
    default_domain: Annotated[
        str | None,
        typer.Option("--default-domain", metavar="NAME", help="dovecot-conf: the domain of names without one"),
    ] = None,
    map_type: Annotated[
        str | None, typer.Option("--map", metavar="TYPE", help=f"postfix-conf: {', '.join(MAPS)}")
    ] = None,
    sender_login: Annotated[
        str | None, typer.Option("--sender-login", metavar="PATH", help="postfix-conf: the map of sender logins")
    ] = None,
    postmap: Annotated[
        str | None, typer.Option("--postmap", metavar="TYPE", help=f"postfix: run postmap: {', '.join(MAPS[1:])}")
    ] = None,
    smtp: Annotated[
        str | None,
        typer.Option("--smtp", metavar="HOST/PORT", help="fetchmail: where mail is handed in (127.0.0.1/25)"),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="ADDRESS/NAME", help="getmail: which source")
    ] = None,
) -> int:
    out: Output = context.obj
    given: dict[str, Any] = {
        "dovecot": dovecot,
        "data": data,
        "strategy": strategy,
        "lock": lock.split(",") if lock is not None else None,
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
    if output in ("", "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        raise UsageError("--output is a file's path; without it the file goes to stdout")
    if output is None:
        for name, value in (("--check", check), ("--diff", diff), ("--force", force), ("--postmap", postmap)):
            if value:
                raise UsageError(f"{name} is about a file: name it with --output PATH")
        return _to_stdout(out, target, wanted, chosen)
    return _to_file(out, target, chosen, place_for(wanted, output, postmap=postmap)._replace(force=force), check, diff)


def _to_stdout(out: Output, name: str, target: Target, chosen: Options) -> int:
    secret = target.secret or (chosen.token is not None and name == "dovecot")
    if secret and out.context.stdout_is_terminal:
        raise Refused(f"{name} has secrets in it, which a terminal would show: use --output PATH", code="terminal")
    made = Workshop(out).make(target, chosen)
    for note in made.notes:
        out.message(note)
    content = stamped(name, made.body).decode("utf-8")
    if out.context.format == "json":
        out.json("export/1", {"file": out.context.file, "target": name, "content": content, "notes": list(made.notes)})
    else:
        out.data(content)
    return 0


def _to_file(out: Output, name: str, chosen: Options, place: Place, check: bool, diff: bool) -> int:
    target = TARGETS[name]
    refuse_own(out, place.path)
    workshop = Workshop(out)
    notes: list[str] = []
    made: list[bytes] = []

    def make() -> bytes:
        exported = workshop.make(target, chosen)
        notes[:] = exported.notes
        made[:] = [stamped(name, exported.body)]
        return made[0]

    found = look(place, make()) if check or diff else put(place, make, out.context.lock_timeout)
    for note in (*notes, *found.notes):
        out.message(note)
    differs = found.state is not State.CURRENT or bool(found.notes)
    if diff and out.context.format != "json":
        out.patch(difference(place.path, target, found.before, made[0]))
    elif out.tells(dry_run=check or diff):
        _tell(out, name, place, str(found.state), changed=found.changed, looked=check or diff, differs=differs)
    if found.owing is not None:
        raise found.owing
    return int(check and differs)


def _tell(out: Output, name: str, place: Place, state: str, *, changed: bool, looked: bool, differs: bool) -> None:
    if out.context.format == "json":
        content = {"file": out.context.file, "target": name, "path": place.path, "state": state, "changed": changed}
        out.json("export/1", content)
    elif looked:
        out.record((place.path, name, state, "differs" if differs else "ok"))
    else:
        out.record((place.path, name, "as the policy says", "changed" if changed else "ok"))


def difference(path: str, target: Target, before: bytes | None, wanted: bytes) -> str:
    """The unified diff from what is there to what is wanted, every secret in it shown as stars."""
    from difflib import unified_diff

    old = (before or b"").decode("utf-8", "backslashreplace").split("\n")
    new = wanted.decode("utf-8").split("\n")
    shown_path = printable(path)
    lines = unified_diff(old, new, shown_path, f"{shown_path} (as the policy says)", lineterm="")
    shown = []
    for number, line in enumerate(lines):
        shown.append(line if number < 2 or line.startswith("@@ ") else line[0] + target.masked(line[1:]))
    return "".join(f"{line}\n" for line in shown)
