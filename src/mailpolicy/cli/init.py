"""init: a commented starter store, where there is none yet, and beside it the JSON Schema that its first line names."""

from __future__ import annotations

import os
from importlib.resources import files as resources

import typer

from mailpolicy import files, trust
from mailpolicy.cli import schema
from mailpolicy.cli.commands import new_app
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.targets import DryRun
from mailpolicy.edit import hunks
from mailpolicy.errors import StoreError


def app() -> typer.Typer:
    """The command init."""
    command = new_app()
    command.command(
        help="Write a commented starter store, and beside it the JSON Schema with which editors check it; "
        "what is there stays as it is."
    )(_init)
    return command


def _init(context: typer.Context, dry_run: DryRun = False) -> int:
    out: Output = context.obj
    require_format(out.around, "text", "json")
    path = out.around.file
    described = os.path.join(os.path.dirname(path), schema.FILE)
    fresh = not _is_there(path)
    describe = fresh and not os.path.lexists(described)
    trust.refuse_unsafe(path)
    starter = resources("mailpolicy").joinpath("starter.toml").read_bytes()
    diff = hunks.unified(path, "", [hunks.Splice(0, 0, starter.decode("utf-8"))]) if fresh and dry_run else None
    if fresh and not dry_run:
        files.make_folders(os.path.dirname(os.path.realpath(path)))
        with files.locked(path, out.around.lock_timeout):
            fresh = not _is_there(path)
            describe = describe and fresh
            if fresh:
                if describe:
                    files.replace(described, schema.content())
                files.replace(path, starter)
    if not out.tells(dry_run=dry_run):
        return 0
    if out.around.format == "json":
        content = {"file": path, "changed": fresh, "dry_run": dry_run, "access": "same", "changes": []}
        content["schema_file"] = described if describe else None
        out.json("edit/1", content if diff is None else {**content, "diff": diff})
    elif diff is not None:
        out.data(diff)
    else:
        if describe:
            out.record((described, "schema", "written", "changed"))
        out.record((path, "store", "written" if fresh else "there already", "changed" if fresh else "ok"))
    return 0


def _is_there(path: str) -> bool:
    """Whether a store file is there. Raises StoreError where something else is."""
    if not os.path.exists(path):
        return False
    if not os.path.isfile(path):
        raise StoreError("this is no regular file, name another one with --file", file=path)
    return True
