"""The command init: write a commented starter store, and beside it the JSON Schema that its first line names."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.resources import files as resources

import typer

from mailpolicy.cli import author
from mailpolicy.cli.app import edits, new_app
from mailpolicy.cli.commands import schema
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection_options import DryRun
from mailpolicy.edit.locking import recorded
from mailpolicy.edit.text import diff as text_diff
from mailpolicy.errors import FileMissing, NotConfirmed
from mailpolicy.store.store import Store
from mailpolicy.system.files import exists, open_regular
from mailpolicy.system.held import locked, without_lock


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Write a commented starter store, and beside it the JSON Schema for editors. "
        "Existing files are left alone."
    )(edits(_init, "--no-journal"))
    return command


def _init(context: typer.Context, dry_run: DryRun = False) -> int:
    out: Output = context.obj
    path = out.context.file
    described = os.path.join(os.path.dirname(path), schema.FILE)
    with without_lock(path, out.trusted):
        pass  # raises if the folder is not safe, before anything is written
    fresh = not _is_there(path)
    describe = fresh and not exists(described)
    starter = resources("mailpolicy.cli").joinpath("starter.toml").read_bytes()
    diff = (
        text_diff.unified_diff(path, "", [text_diff.Splice(0, 0, starter.decode("utf-8"))])
        if fresh and dry_run
        else None
    )
    if fresh and not dry_run:
        with locked(path, out.context.lock_timeout, out.trusted, make_folders=0o755) as store:
            fresh = store.lstat() is None
            describe = describe and fresh
            if fresh:
                if describe:
                    with suppress(NotConfirmed):  # the store is written into the same folder, and its sync tells
                        store.create_beside(schema.FILE, schema.content())
                try:
                    with recorded(author.journal(out), store, None, starter, Store(path, starter).tree):
                        store.create(starter)
                except NotConfirmed:
                    raise
                except BaseException:
                    if describe:
                        store.remove_beside(schema.FILE)
                    raise
    out.change_made = fresh and not dry_run
    if not out.shows_results(dry_run=dry_run):
        return 0
    if out.context.format == "json":
        content = {"file": path, "changed": fresh, "dry_run": dry_run, "access": "same", "changes": []}
        content["schema_file"] = described if describe else None
        out.json("edit/1", content if diff is None else {**content, "diff": diff})
    elif diff is not None:
        out.patch(diff)
    else:
        if describe:
            out.record((described, "schema", "written", "changed"))
        out.record((path, "store", "written" if fresh else "already exists", "changed" if fresh else "ok"))
    return 0


def _is_there(path: str) -> bool:
    """Return whether the store exists. Raises StoreError if it is not a regular file."""
    try:
        with open_regular(path):
            return True
    except FileMissing:
        return False
