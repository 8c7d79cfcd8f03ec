"""diff: whose access differs between two stores, and which key did it."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from mailpolicy import git
from mailpolicy.access import EMPTY, Access, Comparison, direction
from mailpolicy.cli.commands import new_app
from mailpolicy.cli.output import Output, drop_stdout, require_format, stdin_bytes
from mailpolicy.document import without_gc
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.policy import Policy
from mailpolicy.render.shifts import COLUMNS, Changes, Sides, markdown, objects, records, summary
from mailpolicy.store import Store, StoreInvalid
from mailpolicy.system.files import read_regular

_GITS = (7, 9)  # what git gives an external diff: PATH, and file, hash and mode of either side; a rename adds two


class FailOn(StrEnum):
    """The directions that fail a run."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    ANY = "any"

    def hits(self, access: Access) -> bool:
        """Whether a change of that direction is one to fail on."""
        return access is not Access.SAME and (self is FailOn.ANY or access in (self.value, Access.BOTH))


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


def app() -> typer.Typer:
    """The command diff."""
    command = new_app()
    command.command(
        help="Say for which accounts and services the decision differs between two stores: from where they were "
        "allowed before and after, and which key did it; and which passwords would be sent to another destination, as "
        "`credentials`, which counts as widened. What changes neither prints nothing.\n\n"
        "OLD and NEW are files, - for stdin, or REV:PATH as git has it; /dev/null is a store without accounts. "
        "Exit status: 0, with --fail-on 1 where it applies, 3 a store that cannot be opened or has errors."
    )(_diff)
    return command


def _diff(
    context: typer.Context,
    stores: Annotated[list[str], typer.Argument(metavar="OLD NEW", show_default=False)],
    failing: FailOnOption = None,
    git_driver: Annotated[
        bool, typer.Option("--git-driver", help="take the arguments that git gives a diff driver, and never fail")
    ] = False,
) -> int:
    out: Output = context.obj
    require_format(out.around, "text", "json", "markdown")
    wanted = fail_on(failing)
    if git_driver:
        try:
            status = _drive(out, stores)
            out.flush()
        except BrokenPipeError:  # git's reader has seen enough, and a driver that fails ends the whole diff
            drop_stdout()
            status = 0
        return status
    if len(stores) != 2:
        raise UsageError("name two stores: mailpolicy diff OLD NEW")
    if stores == ["-", "-"]:
        raise UsageError("only one of the two stores can be stdin")
    _tell_apart(out, stores, refuse=wanted is not None)
    try:
        old, new = (_opened(name) for name in stores)
    except git.SymbolicLink as link:
        if link.leads_to is not None:
            link.fix = ("mailpolicy", "diff", *(link.leads_to if it == link.name else it for it in stores))
        raise
    with without_gc():  # two policies and no cycles
        comparison = Comparison(_policy(old), _policy(new))
        shifts = comparison.changes()
        tell(out, comparison, shifts, old, new)
    return int(wanted is not None and wanted.hits(direction(shifts)))


def tell(out: Output, comparison: Comparison, shifts: Changes, old: Store, new: Store) -> None:
    """Print the shifts in the form asked for."""
    sides = Sides(comparison, (old.path, old.lines), (new.path, new.lines))
    if out.around.format == "json":
        content = {"old": old.path, "new": new.path, "access": str(direction(shifts))}
        out.json("diff/1", {**content, "changes": objects(shifts, sides)})
    elif out.around.format == "markdown":
        out.data(markdown(shifts, sides))
    elif shifts:
        out.rows(COLUMNS, records(shifts, sides))
        out.message(f"access {direction(shifts)}: {summary(shifts)}")


def _tell_apart(out: Output, stores: list[str], *, refuse: bool) -> None:
    """A file is a file; but one of the tree under review must not quietly stand for what the tree is compared with."""
    for name in stores:
        if ":" in name and os.path.exists(name) and git.knows(name):
            told = "this is a file here, and git has it as a file of a revision too"
            if refuse:
                raise StoreError(
                    f"{told}: write ./{name} for the file, or take it away", file=name, code="ambiguous-name"
                )
            out.message(f"warning: {name}: {told}: the file is used")


def _opened(name: str) -> Store:
    """The store that a name stands for; one that is not there for /dev/null. Raises StoreError."""
    if name == "-":
        return Store(name, stdin_bytes())
    if name == os.devnull:
        return Store(name, b"")
    if ":" in name and not os.path.exists(name):
        return Store(name, git.blob(name))
    return Store(name, read_regular(name))


def _policy(store: Store) -> Policy:
    return EMPTY if store.path == os.devnull else store.policy()


def _drive(out: Output, given: list[str]) -> int:
    """One file of a `git diff`. A store with errors is told of and does not end the diff of all other files."""
    if len(given) == 1:
        out.data(f"{given[0]}: unmerged, there is nothing to compare yet\n")
        return 0
    if len(given) not in _GITS:
        raise UsageError(f"a diff driver gets {_GITS[0]} arguments from git, not {len(given)}: see git help attributes")
    names = (f"a/{given[0]}", f"b/{given[7] if len(given) > _GITS[0] else given[0]}")
    sides: list[Store] = []
    policies: list[Policy] = []
    for file, mode, name in zip((given[1], given[4]), (given[3], given[6]), names, strict=True):
        store = _opened(file)
        if mode == git.LINK:  # the file has the link's text
            out.record([str(git.SymbolicLink(name, store.data))])
            continue
        sides.append(store if file == os.devnull else Store(name, store.data))
        try:
            policies.append(_policy(sides[-1]))
        except StoreInvalid as error:
            out.data("".join(f"{finding}\n" for finding in error.findings))
    if len(policies) == len(names):
        comparison = Comparison(*policies)
        tell(out, comparison, comparison.changes(), *sides)
    return 0
