"""Compare the services that a data file of Dovecot's covers with those about which Dovecot asks it.

It does not matter how the snippet was installed: doveconf tells what Dovecot reads. Without doveconf nothing is known, as
the files may be for another machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from mailpolicy.deploy.configured import ConfiguredExport, export_command
from mailpolicy.deploy.dovecot import Configuration, Doveconf, NotEnforced, text_of
from mailpolicy.deploy.managed import owe_reload, reload_pending, update
from mailpolicy.deploy.passdbs import services_of, services_reading
from mailpolicy.errors import Command, MailpolicyError, Refused
from mailpolicy.export.dovecot import ALWAYS, covered, dated, keeping, kept, to_keep
from mailpolicy.export.dovecot_conf import default_domain
from mailpolicy.export.stamp import body_of, stamped
from mailpolicy.system.files import exists

# The time after a reload in which a process may still have the old snippet. Postfix ends a process after 100 clients, or
# when it has been idle for 100 seconds.
_LINGERING = timedelta(hours=1)


class NotAsked(NotEnforced):
    """Dovecot asks about other services than the data file covers."""

    exit_status = 1
    code = "not-asked"


def readers(exports: Iterable[ConfiguredExport], path: str) -> list[ConfiguredExport]:
    """Return the snippets among the exports that read the data file at `path`."""
    return [one for one in exports if one.passwd_file == path]


def data_read(exports: Iterable[ConfiguredExport], snippet: ConfiguredExport) -> list[ConfiguredExport]:
    """Return the data files among the exports that an export reads, if it is a snippet."""
    return [one for one in exports if one.target_name == "dovecot" and readers([snippet], one.generated.path)]


def in_order(exports: Iterable[ConfiguredExport], governed: Collection[str]) -> list[ConfiguredExport]:
    """Return exports with those snippets first that still ask a database about a service that is no longer governed.

    The database loses the rows of such a service, and a Dovecot that still asked about it would refuse everybody.
    """
    return sorted(exports, key=lambda one: one.target_name != "dovecot-sql-conf" or not _asks_beyond(one, governed))


def _asks_beyond(snippet: ConfiguredExport, governed: Collection[str]) -> bool:
    """Return whether an installed snippet asks about a service that is not governed; one that cannot be read does not."""
    try:
        return not set(services_of(text_of(snippet.generated.path))).issubset(governed)
    except (MailpolicyError, OSError):  # reported when this export is made, and only for it
        return False


def refuse_uncovered(exports: Iterable[ConfiguredExport], path: str, snippet: str) -> None:
    """Raise Refused if a snippet asks about a service that the data file at `path` does not cover: nobody could use it."""
    if not exists(path, follow=True):  # it may be for another machine
        return
    covers = covered(text_of(path))
    if missing := [name for name in services_reading(snippet, path) if name not in covers]:
        names = [one.name for one in exports if one.target_name == "dovecot" and one.generated.path == path]
        raise Refused(
            f"nothing was written, as {path}, which this file reads, does not cover {', '.join(missing)} yet",
            code="not-covered",
            fix=("mailpolicy", "deploy", *names) if names else export_command("dovecot", {}, path),
        )


def explain_change(before: bytes | None, snippet: str, *, reloads: bool) -> list[str]:
    """Return warnings about a new snippet: services that it opens, and a reload to do by hand."""
    now, old = services_of(snippet), services_of((before or b"").decode("utf-8", "replace"))
    warnings = []
    if lost := [name for name in old if name not in now]:
        warnings.append(
            f"warning: the new snippet no longer has {', '.join(lost)}, so Dovecot does not ask the policy about "
            f"{'it' if len(lost) == 1 else 'them'} and lets everybody in, suspended accounts too"
        )
    if not reloads:
        warnings.append("warning: Dovecot reads the new snippet only after a reload: doveadm reload")
    return warnings


def refuse_gap(exports: Collection[ConfiguredExport], data: ConfiguredExport, governed: Collection[str]) -> bool:
    """Raise NotAsked if Dovecot asks about other services than the data file covers; return False if that is unknown.

    `governed` are the services that the store governs. Raises NotEnforced if Dovecot would not start, and Refused if
    doveconf fails. POP and IMAP may be covered without being asked about, as before a snippet is installed.
    """
    path, snippets = data.generated.path, readers(exports, data.generated.path)
    asking = snippets[0] if snippets else data
    found = Doveconf(asking.doveconf).configuration()
    if found is None:
        return False
    if found.failure is not None:
        raise NotEnforced(f"Dovecot would not start: doveconf {found.failure}")
    if not (text := text_of(path)):
        return True
    asked, covers = services_reading(found.text, path), covered(text)
    unasked = [name for name in covers if name in governed and name not in (*asked, *ALWAYS)]
    uncovered = [name for name in asked if name in governed and name not in covers]
    needless = [name for name in asked if name not in governed]
    said = [
        *([f"Dovecot does not ask the policy about {', '.join(unasked)}"] if unasked else []),
        *([f"Dovecot asks about {', '.join(needless)}, which the store does not govern"] if needless else []),
    ]
    if uncovered:
        closed = f"nobody can use {', '.join(uncovered)}, as Dovecot asks about {path}, which does not cover it yet"
        raise NotAsked("; ".join([closed, *said]), fix=("mailpolicy", "deploy", data.name))
    if said:
        other = "" if asked else f", or set doveconf in exports.{asking.name} to that of the Dovecot that reads {path}"
        message = f"{'; '.join(said)}: replace the snippet and reload Dovecot{other}"
        raise NotAsked(message, fix=_replacement(snippets, data, found))
    return True


def _replacement(snippets: Sequence[ConfiguredExport], data: ConfiguredExport, found: Configuration) -> Command:
    """Return the command that replaces the snippet, with the options of the one that was installed by hand."""
    if snippets:
        return ("mailpolicy", "deploy", snippets[0].name)
    domain = default_domain(found.text)
    settings = {
        "dovecot": ".".join(found.version.split(".")[:2]),
        "data": data.generated.path,
        **{key: value for key, value in data.settings.items() if key == "strategy"},
        **({"default_domain": domain} if domain is not None else {}),
    }
    folder = os.path.dirname(found.path)
    return export_command("dovecot-conf", settings, os.path.join(folder, "conf.d", "00-mailpolicy.conf"))


def body_for_now(
    exports: Collection[ConfiguredExport],
    data: ConfiguredExport,
    body: str,
    before: bytes | None,
    clock: Callable[[], datetime],
) -> str:
    """Return the body of a data file, with the lines of services that Dovecot may still ask about.

    Dovecot reads a data file at once and a snippet after a reload, and a process that began before the reload may answer
    with the old one for as long as its clients stay.
    """
    old = (before or b"").decode("utf-8", "replace")
    keep = to_keep(body, old)
    if before is None or not keep.services:
        return body
    if not _configured_without(exports, data, keep.services):
        keep = keep._replace(since=None)
    if keep.since is not None and clock() - keep.since >= _LINGERING:
        return body
    return keeping(body, old, keep)


def owe_confirmation(exports: Collection[ConfiguredExport], snippet: ConfiguredExport, lock_timeout: float) -> None:
    """Let the deployment of a snippet reload Dovecot if no reload is known to have followed the end of a service.

    Somebody has replaced the snippet by hand, or a run was killed. Raises Refused, StillLocked and WriteFailed.
    """
    for data in data_read(exports, snippet):
        keep = kept(text_of(data.generated.path))
        if keep.services and keep.since is None and _configured_without(exports, data, keep.services):
            owe_reload(snippet.generated, lock_timeout)


def note_reload(
    exports: Collection[ConfiguredExport], snippet: ConfiguredExport, clock: Callable[[], datetime], lock_timeout: float
) -> None:
    """Write into the data files of a snippet, after a reload, since when Dovecot does not ask about what they keep.

    Raises StoreError, Refused, StillLocked, WriteFailed and NotConfirmed.
    """

    def with_date(before: bytes | None) -> bytes:
        body = body_of("dovecot", before or b"")
        return (before or b"") if body is None else stamped("dovecot", dated(body, clock()))

    for data in data_read(exports, snippet):
        if _configured_without(exports, data, kept(text_of(data.generated.path)).services):
            update(data.generated, with_date, lock_timeout)


def reload_unknown(exports: Collection[ConfiguredExport], data: ConfiguredExport) -> tuple[str, ...]:
    """Return the services whose lines a data file keeps for good, as no deployment can tell whether Dovecot still asks."""
    path = data.generated.path
    keep = kept(text_of(path))
    pending = any(reload_pending(one.generated) for one in readers(exports, path))
    return () if pending or _configured_without(exports, data, keep.services) else keep.services


def _configured_without(
    exports: Collection[ConfiguredExport], data: ConfiguredExport, services: Collection[str]
) -> bool:
    """Return whether Dovecot, after a reload, is known not to ask a data file about services, and no reload is pending.

    That it asks the file about others shows that doveconf is that of the right Dovecot.
    """
    snippets = readers(exports, data.generated.path)
    return (
        bool(services and snippets)
        and all(one.generated.commands and not reload_pending(one.generated) for one in snippets)
        and all((asked := _asked(one, data)) and not asked.intersection(services) for one in snippets)
    )


def _asked(snippet: ConfiguredExport, data: ConfiguredExport) -> set[str]:
    """Return the services about which Dovecot asks a data file, none if that is unknown."""
    try:
        found = Doveconf(snippet.doveconf).configuration()
    except Refused:  # reported by `refuse_gap`
        return set()
    return {*services_reading(found.text, data.generated.path)} if found is not None and not found.failure else set()
