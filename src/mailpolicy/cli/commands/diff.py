"""diff: whose access differs between two stores, and which key did it."""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.output import Output, drop_stdout, stdin_bytes
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.policy.access import EMPTY, Comparison
from mailpolicy.policy.changes import Direction, direction
from mailpolicy.policy.model import Policy
from mailpolicy.render.access_changes import COLUMNS, Changes, Sides, markdown, objects, records, summary
from mailpolicy.store.document import without_gc
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system import git
from mailpolicy.system.files import LARGEST_STORE, read_regular

_GITS = (7, 9)  # what git gives an external diff: PATH, and file, hash and mode of either side; a rename adds two


class FailOn(StrEnum):
    """The directions that fail a run."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    ANY = "any"

    def hits(self, access: Direction) -> bool:
        """Whether a change of that direction is one to fail on."""
        return access is not Direction.SAME and (self is FailOn.ANY or access in (self.value, Direction.BOTH))


FailOnOption = Annotated[
    str | None, typer.Option("--fail-on", metavar="WAY", help="fail where access is widened, narrowed or any of them")
]


def fail_on(text: str | None) -> FailOn | None:
    """The value of --fail-on. Raises UsageError."""
    if text is None:
        return None
    try:
        return FailOn(text)
    except ValueError:
        raise UsageError(f"--fail-on is widened, narrowed or any, not {text!a}") from None


class Side(NamedTuple):
    """What names one of the two stores: a file, or `REV:PATH` as git has it in the repository of `folder`."""

    name: str
    folder: str | None = None

    @property
    def in_git(self) -> bool:
        """Whether this is `REV:PATH`; what is a file here is the file."""
        return self.folder is not None or (":" in self.name and not os.path.exists(self.name))


def app() -> typer.Typer:
    """The command diff."""
    command = new_app()
    command.command(
        help="Say for which accounts and services the decision differs between two stores: from where they were "
        "allowed before and after, and which key did it; and which passwords would be sent to another destination, as "
        "`credentials`, which counts as widened. What changes neither prints nothing.\n\n"
        "OLD and NEW are files, - for stdin, or REV:PATH as git has it; /dev/null is a store without accounts. "
        "NEW is the store (--file) unless it is named, and OLD may then be a revision alone, at the store's path; "
        "without both, HEAD is compared with the store. "
        "Exit status: 0, with --fail-on 1 where it applies, 3 a store that cannot be opened or has errors."
    )(with_formats(_diff, "text", "json", "markdown"))
    return command


def _diff(
    context: typer.Context,
    stores: Annotated[list[str] | None, typer.Argument(metavar="[OLD [NEW]]", show_default=False)] = None,
    failing: FailOnOption = None,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="a file that OLD does not have yet is an empty store")
    ] = False,
    git_driver: Annotated[
        bool, typer.Option("--git-driver", help="take the arguments that git gives a diff driver, and never fail")
    ] = False,
) -> int:
    out: Output = context.obj
    wanted = fail_on(failing)
    if git_driver:
        try:
            status = _drive(out, stores or [])
            out.flush()
        except BrokenPipeError:  # git's reader has seen enough, and a driver that fails ends the whole diff
            drop_stdout()
            status = 0
        return status
    given = stores or []
    if len(given) > 2:
        raise UsageError("name at most two stores: mailpolicy diff [OLD [NEW]]")
    if given == ["-", "-"]:
        raise UsageError("only one of the two stores can be stdin")
    sides = _sides(out, given, refuse=wanted is not None)
    try:
        old, new = (
            (_opened(side) for side in sides) if not missing_ok else (_if_there(out, sides[0]), _opened(sides[1]))
        )
    except git.SymbolicLink as link:
        if link.leads_to is not None:
            names = (link.leads_to if side.name == link.name else side.name for side in sides)
            link.fix = ("mailpolicy", "diff", *names)
        raise
    with without_gc():  # two policies and no cycles
        comparison = Comparison(_policy(old), _policy(new))
        changes = comparison.changes()
        tell(out, comparison, changes, old, new)
    return int(wanted is not None and wanted.hits(direction(changes)))


def tell(out: Output, comparison: Comparison, changes: Changes, old: Store, new: Store) -> None:
    """Print the shifts in the form asked for."""
    sides = Sides(comparison, (old.path, old.lines), (new.path, new.lines))
    if out.context.format == "json":
        content = {"old": old.path, "new": new.path, "access": str(direction(changes))}
        out.json("diff/1", {**content, "changes": objects(changes, sides)})
    elif out.context.format == "markdown":
        out.lines(markdown(changes, sides).splitlines())
    elif changes:
        out.rows(COLUMNS, records(changes, sides))
        out.message(f"access {direction(changes)}: {summary(changes)}")


def _sides(out: Output, given: list[str], *, refuse: bool) -> tuple[Side, Side]:
    """Both sides, the store and its path in git in the place of what was not given. Raises StoreError."""
    store = out.context.file
    if len(given) == 2:
        _tell_apart(out, given, refuse=refuse)
        return Side(given[0]), Side(given[1])
    if not given:
        return _in_revision("HEAD", store), Side(store)
    [old] = given
    if ":" not in old and not _is_file(old):
        if git.is_revision(old, os.path.dirname(os.path.realpath(store))):
            return _in_revision(old, store), Side(store)
        with suppress(StoreError):
            git.in_repository(store)  # which may be one that is refused
        told = f"no such file or directory, and no revision in the repository of {store}"
        raise git.NoSuchRevision(f"{told}: if it is one, {git.FETCH_MORE}", file=old)
    _tell_apart(out, given, refuse=refuse, store=store)
    return Side(old), Side(store)


def _in_revision(revision: str, store: str) -> Side:
    folder, path = git.in_repository(store)
    return Side(f"{revision}:{path}", folder)


def _is_file(name: str) -> bool:
    return name == "-" or (os.path.exists(name) and not os.path.isdir(name))


def _tell_apart(out: Output, stores: list[str], *, refuse: bool, store: str | None = None) -> None:
    """A file is a file; but one of the tree under review must not quietly stand for what the tree is compared with.

    Where a revision alone can be named, it is one of the repository of `store`.
    """
    for name in stores:
        if not os.path.exists(name):
            continue
        if ":" in name and git.knows(name):
            told = "this is a file here, and git has it as a file of a revision too"
        elif store is not None and git.is_revision(name, os.path.dirname(os.path.realpath(store))):
            told = "this is a file here and a revision in git too"
        else:
            continue
        if refuse:
            raise StoreError(f"{told}: write ./{name} for the file, or take it away", file=name, code="ambiguous-name")
        out.message(f"warning: {name}: {told}: the file is used")


def _if_there(out: Output, side: Side) -> Store:
    """The store of a side, an empty one if the file is not there: of git's, if the revision is. Raises StoreError."""
    try:
        if not side.in_git and side.name != "-":
            os.lstat(side.name)
        return _opened(side)
    except (FileNotFoundError, git.NotInRevision):
        out.message(f"note: {side.name} does not exist, so everything is compared with an empty store")
        return Store(os.devnull, b"")
    except (OSError, ValueError):
        return _opened(side)


def _opened(side: Side) -> Store:
    """The store that a side names; one that is not there for /dev/null. Raises StoreError."""
    name = side.name
    if name == "-":
        return Store(name, stdin_bytes())
    if name == os.devnull:
        return Store(name, b"")
    if side.in_git:
        return Store(name, git.blob(name, side.folder))
    return Store(name, read_regular(name, LARGEST_STORE))


def _policy(store: Store) -> Policy:
    return EMPTY if store.path == os.devnull else store.policy()


def _drive(out: Output, given: list[str]) -> int:
    """One file of a `git diff`. A store with errors is told of and does not end the diff of all other files."""
    if len(given) == 1:
        out.lines([f"{given[0]}: unmerged, there is nothing to compare yet"])
        return 0
    if len(given) not in _GITS:
        raise UsageError(f"a diff driver gets {_GITS[0]} arguments from git, not {len(given)}: see git help attributes")
    names = (f"a/{given[0]}", f"b/{given[7] if len(given) > _GITS[0] else given[0]}")
    sides: list[Store] = []
    policies: list[Policy] = []
    for file, mode, name in zip((given[1], given[4]), (given[3], given[6]), names, strict=True):
        store = _opened(Side(file))
        if mode == git.LINK:  # the file has the link's text
            out.record([str(git.SymbolicLink(name, store.data))])
            continue
        sides.append(store if file == os.devnull else Store(name, store.data))
        try:
            policies.append(_policy(sides[-1]))
        except StoreInvalid as error:
            out.lines(map(str, error.findings))
    if len(policies) == len(names):
        comparison = Comparison(*policies)
        tell(out, comparison, comparison.changes(), *sides)
    return 0
