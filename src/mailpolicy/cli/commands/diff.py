"""The command diff: show how access differs between two stores, and the keys that cause it."""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.output import Output
from mailpolicy.cli.streams import discard_stdout, stdin_bytes
from mailpolicy.cli.when import moment_of, when
from mailpolicy.cli.when_options import AtOption
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.policy.access import EMPTY, Comparison
from mailpolicy.policy.changes import Direction, direction
from mailpolicy.policy.model import Policy
from mailpolicy.render.access_changes import Changes, Sides, columns, markdown, objects, records, summary
from mailpolicy.store.document import without_gc
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system import git
from mailpolicy.system.files import MAX_STORE_SIZE, read_regular
from mailpolicy.system.resolve import real_path

# git passes PATH, then file, hash and mode of either side; a rename adds the new path and a message.
_DRIVER_ARGUMENTS = (7, 9)


class FailOn(StrEnum):
    """The direction of change that --fail-on names."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    ANY = "any"

    def matches(self, access: Direction) -> bool:
        """Return whether a change in that direction fails the run."""
        return access is not Direction.SAME and (self is FailOn.ANY or access in (self.value, Direction.BOTH))


FailOnOption = Annotated[
    str | None, typer.Option("--fail-on", metavar="WAY", help="fail on changes of access: widened, narrowed or any")
]


def fail_on(text: str | None) -> FailOn | None:
    """Parse the value of --fail-on. Raises UsageError."""
    if text is None:
        return None
    try:
        return FailOn(text)
    except ValueError:
        raise UsageError(f"--fail-on must be widened, narrowed or any, not {text!a}") from None


class Side(NamedTuple):
    """One of the two stores: a file, or `REV:PATH` in the git repository that contains `folder`."""

    name: str
    folder: str | None = None

    @property
    def in_git(self) -> bool:
        """Return whether this is `REV:PATH`; a file of that very name takes precedence."""
        return self.folder is not None or (":" in self.name and not os.path.exists(self.name))


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Show the accounts and services whose access differs between two stores: the networks admitted before and "
        "after, and the keys that cause it. A password that would be sent to another destination is listed as "
        "`credentials` and counts as widened. A change that affects neither prints nothing.\n\n"
        "OLD and NEW are files, - for stdin, or REV:PATH in git; /dev/null is a store without accounts. "
        "NEW defaults to the store (--file); OLD may then be a revision, which is read at the store's path. "
        "Without both, HEAD is compared with the store. "
        "Exit status: 0; 1 if --fail-on applies; 3 if a store cannot be opened or has errors."
    )(with_formats(_diff, "text", "json", "markdown"))
    return command


def _diff(
    context: typer.Context,
    stores: Annotated[
        list[str] | None, typer.Argument(metavar="[OLD [NEW]]", help="the stores to compare", show_default=False)
    ] = None,
    failing: FailOnOption = None,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="compare with an empty store if OLD lacks the file")
    ] = False,
    git_driver: Annotated[
        bool, typer.Option("--git-driver", help="take the arguments of a git diff driver; never fail")
    ] = False,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    wanted = fail_on(failing)
    if git_driver:
        try:
            status = _run_as_driver(out, stores or [])
            out.flush()
        except BrokenPipeError:  # the pager was closed; a driver that fails would end the whole diff
            discard_stdout()
            status = 0
        return status
    given = stores or []
    if len(given) > 2:
        raise UsageError("too many stores: mailpolicy diff [OLD [NEW]]")
    if given == ["-", "-"]:
        raise UsageError("only one of the stores can be stdin")
    sides = _sides(out, given, refuse=wanted is not None)
    try:
        old, new = (
            (_open(side) for side in sides) if not missing_ok else (_open_or_empty(out, sides[0]), _open(sides[1]))
        )
    except git.SymbolicLink as link:
        if link.target is not None:
            names = (link.target if side.name == link.name else side.name for side in sides)
            link.fix = ("mailpolicy", "diff", *names)
        raise
    with without_gc():  # two large policies, and no garbage in cycles
        before, after = _policy(old), _policy(new)
        if moment is None:
            comparison = Comparison(before, after, out.now)
        else:
            instant = moment_of(out, after, "--at", moment)
            comparison = Comparison(before.at(instant), after.at(instant))
        changes = comparison.changes()
        report(out, comparison, changes, old, new)
    return int(wanted is not None and wanted.matches(direction(changes)))


def report(out: Output, comparison: Comparison, changes: Changes, old: Store, new: Store) -> None:
    """Print the differences in the output format of the run."""
    sides = Sides(comparison, (old.path, old.lines), (new.path, new.lines))
    if out.context.format == "json":
        content = {"old": old.path, "new": new.path, "access": str(direction(changes))}
        out.json("diff/1", {**content, "changes": objects(changes, sides)})
    elif out.context.format == "markdown":
        out.lines(markdown(changes, sides).splitlines())
    elif changes:
        out.rows(columns(changes), records(changes, sides))
        out.message(summary(changes))


def _sides(out: Output, given: list[str], *, refuse: bool) -> tuple[Side, Side]:
    """Return the two sides, with the store and its path in git as defaults. Raises StoreError."""
    store = out.context.file
    if len(given) == 2:
        _warn_if_ambiguous(out, given, refuse=refuse)
        return Side(given[0]), Side(given[1])
    if not given:
        return _in_revision("HEAD", store), Side(store)
    [old] = given
    if ":" not in old and not _is_file(old):
        if old == "HEAD" or git.is_revision(old, os.path.dirname(real_path(store))):
            return _in_revision(old, store), Side(store)
        with suppress(StoreError):
            git.locate(store)  # may itself raise NoSuchRevision, for a repository of somebody else's
        message = f"no such file, and no such revision in the repository of {store}"
        raise git.NoSuchRevision(f"{message}; if it is a revision: {git.FETCH_MORE}", file=old)
    _warn_if_ambiguous(out, given, refuse=refuse, store=store)
    return Side(old), Side(store)


def _in_revision(revision: str, store: str) -> Side:
    folder, path = git.locate(store)
    return Side(f"{revision}:{path}", folder)


def _is_file(name: str) -> bool:
    return name == "-" or (os.path.exists(name) and not os.path.isdir(name))


def _warn_if_ambiguous(out: Output, stores: list[str], *, refuse: bool, store: str | None = None) -> None:
    """Warn, or with `refuse` raise StoreError, if a name is both a file and a revision.

    The file is used; but a pull request must not be able to add a file that silently replaces the revision it is compared
    with. A revision on its own is looked up in the repository of `store`.
    """
    for name in stores:
        if not os.path.exists(name):
            continue
        if ":" in name and git.exists(name):
            problem = "both a file here and a file in a git revision"
        elif store is not None and git.is_revision(name, os.path.dirname(real_path(store))):
            problem = "both a file here and a git revision"
        else:
            continue
        if refuse:
            raise StoreError(f"{problem}; write ./{name}, or remove the file", file=name, code="ambiguous-name")
        out.message(f"warning: {name} is {problem}; the file is used")


def _open_or_empty(out: Output, side: Side) -> Store:
    """Open a side; return an empty store if there is no such file, or none in that revision. Raises StoreError."""
    try:
        if not side.in_git and side.name != "-":
            os.lstat(side.name)
        return _open(side)
    except (FileNotFoundError, git.NotInRevision):
        out.message(f"note: {side.name} does not exist; comparing with an empty store")
        return Store(os.devnull, b"")
    except (OSError, ValueError):
        return _open(side)


def _open(side: Side) -> Store:
    """Open the store of a side; /dev/null is an empty store. Raises StoreError."""
    name = side.name
    if name == "-":
        return Store(name, stdin_bytes())
    if name == os.devnull:
        return Store(name, b"")
    if side.in_git:
        return Store(name, git.read_blob(name, side.folder))
    return Store(name, read_regular(name, MAX_STORE_SIZE))


def _policy(store: Store) -> Policy:
    return EMPTY if store.path == os.devnull else store.policy()


def _run_as_driver(out: Output, given: list[str]) -> int:
    """Compare one file for `git diff`. Errors of a store are printed and do not end the diff of the other files."""
    if len(given) == 1:
        out.lines([f"{given[0]}: unmerged, nothing to compare yet"])
        return 0
    if len(given) not in _DRIVER_ARGUMENTS:
        raise UsageError(
            f"--git-driver takes {_DRIVER_ARGUMENTS[0]} arguments from git, not {len(given)}; see git help attributes"
        )
    names = (f"a/{given[0]}", f"b/{given[7] if len(given) > _DRIVER_ARGUMENTS[0] else given[0]}")
    sides: list[Store] = []
    policies: list[Policy] = []
    for file, mode, name in zip((given[1], given[4]), (given[3], given[6]), names, strict=True):
        store = _open(Side(file))
        if mode == git.LINK_MODE:  # the temporary file contains the link's target
            out.record([str(git.SymbolicLink(name, store.data))])
            continue
        sides.append(store if file == os.devnull else Store(name, store.data))
        try:
            policies.append(_policy(sides[-1]))
        except StoreInvalid as error:
            out.lines(map(str, error.findings))
    if len(policies) == len(names):
        comparison = Comparison(policies[0], policies[1], out.now)
        report(out, comparison, comparison.changes(), *sides)
    return 0
