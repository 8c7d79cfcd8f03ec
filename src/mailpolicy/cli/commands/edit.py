"""The command edit: the store in the user's editor, validated, compared and installed on exit."""

from __future__ import annotations

import os
from collections.abc import Iterable

import typer

from mailpolicy.cli import author, editor
from mailpolicy.cli.app import edits, new_app, with_formats
from mailpolicy.cli.commands import install as installing
from mailpolicy.cli.editing import remind_to_deploy, require_machine
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics import ERROR, WARNING, Finding
from mailpolicy.edit.draft import Draft, draft
from mailpolicy.edit.history import changes, words
from mailpolicy.edit.install import Installation, install
from mailpolicy.edit.text import diff as text_diff
from mailpolicy.errors import MailpolicyError, Refused, UsageError
from mailpolicy.policy.dates import text
from mailpolicy.policy.names import counted, printable
from mailpolicy.render.access_changes import columns, records, summary
from mailpolicy.store.store import Store

_AGAIN, _LEAVE, _WRITE, _YES, _NO = "e", "x", "w", "y", "n"
_UNSAFE = "MP039"  # about the file in place, not about the text
_LISTED = 20  # changed keys
_KEPT = "the text is kept for the next edit"


class _Changed(Exception):
    """Somebody else has changed the store since it was compared."""


class _Again(Exception):
    """The text goes back to the editor."""


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Change the store in your editor; on exit it is validated, and its access compared.\n\n"
        "The editor is $MAILPOLICY_EDITOR, $VISUAL or $EDITOR (under sudo not the first), else sensible-editor or vi. "
        "Commands go on working meanwhile; what they change is merged, table by table. A text that is not installed is "
        "kept for the next time, unless you leave with x. For a script there is install."
    )(edits(with_formats(_edit, "text"), "--no-cases", "--no-journal"))
    return command


def _edit(context: typer.Context) -> int:
    out: Output = context.obj
    if not out.context.can_ask or not out.context.stdout_is_terminal:
        raise UsageError(
            "edit needs a terminal; without one, put a file in place with install",
            fix=("mailpolicy", "install", "FILE"),
        )
    command = editor.command(out.context.editor)
    require_machine(out)
    if out.guard is not None:
        out.guard.read()  # cases that cannot be used refuse every edit: say so before anybody types
    who = f"{author.user()}{f' (sudo: {out.context.sudo_user})' if out.context.sudo_user else ''}"
    with draft(
        out.context.file, out.trusted, f"{who} since {text(out.now().replace(microsecond=0))}, process {os.getpid()}"
    ) as work:
        _resume(out, work)
        try:
            return _work(out, work, command)
        except MailpolicyError as error:
            if _is_kept(work):
                error.message += f"; {_KEPT}"
            raise
        except BaseException:
            if _is_kept(work):
                out.message(f"note: {_KEPT}")
            raise


def _is_kept(work: Draft) -> bool:
    try:
        if work.kept() is not None:
            return True
    except MailpolicyError:  # it says so itself
        return False
    work.discard()
    return False


def _resume(out: Output, work: Draft) -> None:
    """Offer the text that an earlier edit has left."""
    if (kept := work.kept()) is None:
        return
    if not typer.confirm("The text of an earlier edit was kept. Continue with it?", default=True, err=True):
        work.discard()
        return
    now, (work.base, work.text) = work.base, kept
    work.save()
    base, clashes = work.base, work.clashes(now)
    # Elsewhere the text must not take back what others did: a text that cannot be merged yet keeps the base it was made from.
    if work.catch_up(now, mine_wins=True) and clashes:
        out.message(
            f"warning: changed meanwhile, and the text has your version: {', '.join(clashes)}; the differences were:"
        )
        out.patch(_diff(base, now))


def _work(out: Output, work: Draft, command: list[str]) -> int:
    while True:
        work.save()
        with work.folder() as folder:
            editor.run(command, os.path.basename(work.path), folder)
        work.load()
        try:
            return _finish(out, work)
        except _Again:
            continue


def _finish(out: Output, work: Draft) -> int:
    """Validate the text, compare it, ask, and install it. Raises _Again, and Refused."""
    asked_about: list[str] = []
    while True:
        if not work.is_changed():
            work.discard()
            out.record((out.context.file, "store", "not changed", "ok"))
            return 0
        _validate(out, work, asked_about)
        theirs = work.current()
        if theirs.data != work.base.data:
            _merge(out, work, theirs)
            continue  # the merged text is validated and shown like any other
        try:
            done = _install(out, work)
        except _Changed:
            continue
        work.discard()
        # Access compared with that of an empty store says nothing to somebody who mends errors.
        installing.report(out, done if done.comparable else done._replace(changes=[], notes=[]), dry_run=False)
        remind_to_deploy(out)
        return 0


def _validate(out: Output, work: Draft, asked_about: list[str]) -> None:
    """Print the findings and ask what to do. Raises _Again and Refused."""
    diagnosed, _ = work.store().diagnose([_UNSAFE])
    found = [finding for finding in diagnosed if finding.problem.severity in (ERROR, WARNING)]
    texts = list(map(str, found))
    if not found or texts == asked_about:
        return
    for line in texts:
        out.message(line)
    if _count(found, ERROR):
        _ask(
            out,
            work,
            f"{counted(_count(found, ERROR), 'error')}: {_AGAIN} to edit again, {_LEAVE} to leave without writing",
            (_AGAIN, _LEAVE),
        )
    else:
        _ask(
            out,
            work,
            f"{counted(len(found), 'warning')}: {_AGAIN} to edit again, {_WRITE} to write anyway, {_LEAVE} to leave without writing",
            (_AGAIN, _WRITE, _LEAVE),
        )
    asked_about[:] = texts


def _count(found: Iterable[Finding], severity: str) -> int:
    return sum(finding.problem.severity == severity for finding in found)


def _merge(out: Output, work: Draft, theirs: Store) -> None:
    """Merge the text with what others changed meanwhile. Raises Refused, with both differences shown."""
    base = work.base
    if work.catch_up(theirs):
        out.message(f"{out.context.file}: changed by another process meanwhile; both changes are merged")
        return
    out.message("what another process changed meanwhile:")
    out.patch(_diff(base, theirs))
    out.message("what you changed:")
    out.patch(_diff(base, work.store()))
    where = ", ".join(work.clashes(theirs)) or "and the two texts cannot be parted by their tables"
    raise Refused(
        f"the store was changed meanwhile, in the same place: {where}; nothing was written",
        file=out.context.file,
        code="changed-meanwhile",
    )


def _diff(old: Store, new: Store) -> str:
    before, after = (store.data.decode("utf-8", "backslashreplace") for store in (old, new))
    return text_diff.unified_diff(old.path, before, text_diff.compare(before, after))


def _install(out: Output, work: Draft) -> Installation:
    """Show whose access changes, ask, and replace the store. Raises _Changed, _Again and Refused."""

    def allow(planned: Installation) -> None:
        if planned.old is None or planned.old.data != work.base.data:
            raise _Changed
        if not planned.comparable:
            out.message("the store had errors, so its access cannot be compared; the texts differ:")
            out.patch(planned.diff)
        elif planned.changes:
            out.rows(columns(planned.changes), records(planned.changes, installing.sides(planned)))
            out.message(summary(planned.changes))
        else:
            out.message("nobody's access changes")
        _list_keys(out, planned)

    def confirm(_: Installation) -> None:
        if _ask(out, work, f"Install {printable(out.context.file)}? [y/N/e]", (_NO, _YES, _AGAIN)) == _NO:
            raise Refused("not installed", file=out.context.file, code="not-confirmed-by-user")

    try:
        return install(
            out.context.file,
            work.store(),
            out.now,
            allow=allow,
            confirm=confirm,
            lock_timeout=out.context.lock_timeout,
            trusted=out.trusted,
            guard=out.guard,
            journal=author.journal(out),
        )
    except Refused as error:
        if error.code != "case-broken":
            raise
        out.message(str(error))
        _ask(
            out, work, f"a case is broken: {_AGAIN} to edit again, {_LEAVE} to leave without writing", (_AGAIN, _LEAVE)
        )
        raise


def _list_keys(out: Output, planned: Installation) -> None:
    """Print the keys that change, removed ones first, as not all of them are seen in somebody's access."""
    if planned.old is None or not planned.comparable:
        return
    found = changes.find(planned.old.tree, planned.new.tree)
    found.sort(key=lambda change: not isinstance(change, changes.KeyChange) or change.new is not None)
    for change in found[:_LISTED]:
        out.message(words.sentence(change))
    if len(found) > _LISTED:
        out.message(f"and {counted(len(found) - _LISTED, 'more change')}")


def _ask(out: Output, work: Draft, question: str, letters: tuple[str, ...]) -> str:
    """Ask for a letter, the first being the default. Raises _Again, and Refused for leaving; returns any other."""
    out.flush()
    while True:
        answer = (
            typer.prompt(question, default=letters[0], show_default=False, err=True, prompt_suffix=" ").strip().lower()
        )
        if answer not in letters:
            continue
        if answer == _AGAIN:
            raise _Again
        if answer == _LEAVE:
            work.discard()
            raise Refused("left without writing; the store is as it was", file=out.context.file, code="abandoned")
        return str(answer)
