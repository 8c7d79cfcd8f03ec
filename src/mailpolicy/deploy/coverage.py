"""Compare the services that a data file of Dovecot's covers with those about which Dovecot asks it.

It does not matter how the snippet was installed: doveconf tells what Dovecot reads. Without doveconf nothing is known, as
the files may be for another machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailpolicy.deploy.configured import ConfiguredExport
from mailpolicy.deploy.dovecot import Configuration, Doveconf, text_of
from mailpolicy.deploy.managed import reload_pending
from mailpolicy.deploy.passdbs import services_reading
from mailpolicy.errors import Command, Refused
from mailpolicy.export.dovecot import ALWAYS, covered, keeping, kept
from mailpolicy.export.request import STRATEGIES
from mailpolicy.system.files import exists

# Seconds after a reload for which a process may still have the old snippet. Postfix ends a process after 100 clients, or
# when it has been idle for 100 seconds.
_LINGERING = 3600


class Gap(NamedTuple):
    """A difference between the services that are covered and those that are asked about, and the command that helps."""

    message: str
    fix: Command


def readers(exports: Iterable[ConfiguredExport], data: ConfiguredExport) -> list[ConfiguredExport]:
    """Return the snippets among the exports that read a data file."""
    return [one for one in exports if one.target_name == "dovecot-conf" and one.options.data == data.generated.path]


def data_read(exports: Iterable[ConfiguredExport], snippet: ConfiguredExport) -> list[ConfiguredExport]:
    """Return the data files among the exports that an export reads, if it is a snippet."""
    return [one for one in exports if one.target_name == "dovecot" and snippet in readers([snippet], one)]


def refuse_uncovered(data: ConfiguredExport, snippet: str) -> None:
    """Raise Refused if a snippet asks about a service that the data file does not cover: nobody could use it."""
    path = data.generated.path
    covers = covered(text_of(path))
    if missing := [name for name in services_reading(snippet, path) if name not in covers]:
        raise Refused(
            f"nothing was written, as {path}, which this file reads, does not cover {', '.join(missing)} yet",
            code="not-covered",
            fix=("mailpolicy", "deploy", data.name),
        )


def find_gap(exports: Collection[ConfiguredExport], data: ConfiguredExport, kept: Collection[str] = ()) -> Gap | None:
    """Return the difference, None if there is none or it is unknown. Raises Refused if doveconf fails.

    POP and IMAP may be covered without being asked about, as before a snippet is installed.
    """
    path, found = data.generated.path, _configuration(exports, data)
    if found is None or not (text := text_of(path)):
        return None
    asked, covers = services_reading(found.text, path), covered(text)
    unasked = [name for name in covers if name not in asked and name not in ALWAYS]
    uncovered = [name for name in asked if name not in covers]
    if not unasked and not uncovered:
        return None
    said = [
        *([f"Dovecot does not ask the policy about {', '.join(unasked)}"] if unasked else []),
        *([f"Dovecot asks about {', '.join(uncovered)}, which the store does not govern"] if uncovered else []),
    ]
    message = f"{'; '.join(said)}: replace the snippet and reload Dovecot"
    if snippets := readers(exports, data):
        return Gap(message, ("mailpolicy", "deploy", snippets[0].name))
    version, strategy = ".".join(found.version.split(".")[:2]), data.options.strategy
    fix = ["mailpolicy", "export", "dovecot-conf", "--dovecot", version, "--data", path]
    fix += ["--strategy", strategy] if strategy != STRATEGIES[0] else []
    return Gap(message, (*fix, "--output", os.path.join(os.path.dirname(found.path), "conf.d", "00-mailpolicy.conf")))


def body_for_now(exports: Collection[ConfiguredExport], data: ConfiguredExport, body: str, before: bytes | None) -> str:
    """Return the body of a data file, with the lines of services that Dovecot may still ask about.

    Dovecot reads a data file at once and a snippet after a reload, and a process that began before the reload may answer
    with the old one for as long as its clients stay. Raises Refused if doveconf fails.
    """
    if before is None:
        return body
    longer = keeping(body, before.decode("utf-8", "replace"))
    return longer if longer != body and _may_ask(exports, data, kept(longer)) else body


def _may_ask(exports: Collection[ConfiguredExport], data: ConfiguredExport, services: Collection[str]) -> bool:
    path, asked = data.generated.path, set()
    for snippet in readers(exports, data):
        place = snippet.generated.path
        if not exists(place, follow=True):
            continue
        if reload_pending(snippet.generated) or time.time() - os.stat(place).st_mtime < _LINGERING:
            return True
        asked |= {*services_reading(text_of(place), path)}
    found = _configuration(exports, data)
    asked |= {*services_reading(found.text, path)} if found is not None else set()
    return not asked.isdisjoint(services)


def _configuration(exports: Collection[ConfiguredExport], data: ConfiguredExport) -> Configuration | None:
    """Return the configuration of the Dovecot that reads a data file, None if it is unknown or broken."""
    command = next((snippet.doveconf for snippet in readers(exports, data)), data.doveconf)
    found = Doveconf(command).configuration()
    return found if found is not None and found.failure is None else None
