"""The accounts of an MDaemon server as rows of a plan: its account CSV, and answers of its XML API to GetUserInfo.

Sources: the manual of MDaemon 17.5, and the documentation of its XML API. Of `Password` nothing but its column is looked at.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mailpolicy.policy.lan import EntryRejected, lan_entry
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted, short
from mailpolicy.policy.service import Service
from mailpolicy.provisioning.forms import Progress, records
from mailpolicy.provisioning.rows import Row, Rows
from mailpolicy.provisioning.values import is_set
from mailpolicy.store.tables import ACCOUNT


class Report(NamedTuple):
    """The settings of one account that have no key here, and the keys that the file says nothing about."""

    not_expressed: tuple[str, ...]
    left_to_defaults: tuple[str, ...]


class Import(NamedTuple):
    """The rows of a file and a report on each, by address; `encoding` is the one that the file was read in."""

    rows: list[Row]
    reports: Mapping[str, Report]
    encoding: str

    def fitting(self, policy: Policy) -> Import:
        """Return the rows without the templates that the policy has not, which then count as not expressed.

        The keys of services that the policy does not govern are not reported as left out.
        """
        ignored = {key for service in Service if not policy.governs(service) for key in service.switches}
        reports = {
            address: report._replace(
                left_to_defaults=tuple(key for key in report.left_to_defaults if key not in ignored)
            )
            for address, report in self.reports.items()
        }
        rows = []
        for row in self.rows:
            name = row.keys.get("template")
            if name is not None and name not in policy.templates:
                row = row._replace(keys={key: value for key, value in row.keys.items() if key != "template"})
                report = reports[row.address]
                left = (*report.left_to_defaults, "template")
                reports[row.address] = Report((*report.not_expressed, "TemplateName (no such template)"), left)
            rows.append(row)
        return self._replace(rows=rows, reports=reports)


def read(file: str, data: bytes, form: str | None, progress: Progress = lambda _count: None) -> Import:
    """Return the accounts in a file, whose form is seen by its first character. Raises BadRows and Refused."""
    text, encoding = decoded(data)
    return FORMS[form or ("xml" if text.lstrip().startswith("<") else "csv")](file, text, encoding, progress)


def decoded(data: bytes) -> tuple[str, str]:
    """Return a text with the name of its encoding: by its byte order mark, else UTF-8, else Windows-1252."""
    for mark, encoding, name in (
        (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
        (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace"), name
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), "Windows-1252"


_NETWORKS = re.compile(r"[0-9A-Fa-f:.*/,;\s\[\]-]+")  # what lines with networks are made of
_SEPARATOR = re.compile(r"[\s=:,;]")


def lan_patterns(file: str, data: bytes) -> tuple[str, ...]:
    """Return the patterns of a list of LAN IPs, one a line. Raises BadRows with the lines that are none."""
    rows = Rows(file)
    found = {}
    for line, text in enumerate(decoded(data)[0].splitlines(), 1):
        if (pattern := text.strip()) and not pattern.startswith(("#", ";")):
            try:
                lan_entry(pattern)
                found[pattern] = line
            except EntryRejected as error:
                rows.mistake(line, str(error) if _NETWORKS.fullmatch(pattern) else _refusal(pattern))
    rows.finished()
    return tuple(found)


def _refusal(pattern: str) -> str:
    """Return what to say of a line of another kind of file, of which only the beginning is repeated: it may hold a password."""
    beginning = _SEPARATOR.split(pattern, maxsplit=1)[0]
    return f"{short(beginning)!a}... is not a network: write one on each line, such as '10.0.0.0/8' or '192.168.*.*'"


# The keys that an answer or a row can say something about.
_KEYS = tuple(key for key in ACCOUNT if key not in ("temporary", "sources", "expires", "extra_lan"))
_CSV_KEYS: Mapping[str, tuple[str, ...]] = {
    "allowaccess": (
        Service.POP.switch,
        Service.IMAP.switch,
    ),  # POP and IMAP at all; there is no column for either alone
    "enablemultipop": (Service.MULTIPOP.switch,),
}
_NAMES = ("mailbox", "domain")
_CSV_FORM = "MDaemon's account CSV is parted by commas, in UTF-8, Windows-1252 or UTF-16 with a byte order mark"
_NAMED = 20  # settings in one line


def _csv(file: str, text: str, encoding: str, progress: Progress) -> Import:
    rows = Rows(file)
    found = records(rows, text)
    line, header = next(found, (1, []))
    titles = [title.strip() for title in header]
    columns = [title.lower() for title in titles]
    for name in ("MailBox", "Domain"):
        if columns.count(name.lower()) != 1:
            # A file without a header begins with data, perhaps a password, so nothing of it is repeated.
            rows.mistake(line, f"the first line names no column {name}, or twice: {_CSV_FORM}")
    for name in _CSV_KEYS:
        if columns.count(name) > 1:
            rows.mistake(line, f"the first line names the column {titles[columns.index(name)]} twice")
    if rows.mistakes:
        return Import(rows.finished(), {}, encoding)
    local, domain = (columns.index(name) for name in _NAMES)
    taken = [(index, _CSV_KEYS[name]) for index, name in enumerate(columns) if name in _CSV_KEYS]
    unused = [
        index
        for index, name in enumerate(columns)
        if name not in (*_NAMES, *_CSV_KEYS) and name and "password" not in name
    ]
    reports = {}
    for count, (line, record) in enumerate(found):
        if count % 10_000 == 0:
            progress(count)
        if len(record) != len(columns):
            rows.mistake(line, f"{counted(len(record), 'field')}, but the first line names {len(columns)}")
            continue
        address = rows.address(line, f"{record[local].strip()}@{record[domain].strip()}")
        if address is None:
            continue
        keys = {key: _is_true(record[index]) for index, named in taken for key in named}
        set_there = tuple(titles[index] for index in unused if is_set(record[index]))
        reports[address] = Report(set_there, tuple(key for key in _KEYS if key not in keys))
        rows.add(address, line, keys)
    return Import(rows.finished(), reports, encoding)


def _is_true(cell: str) -> bool:
    return cell[:1] in ("y", "Y", "1", "t", "T")


def _xml(file: str, text: str, encoding: str, progress: Progress) -> Import:
    from mailpolicy.provisioning import mdaemon_xml  # defusedxml, only for XML

    rows = Rows(file)
    reports = {}
    for count, user in enumerate(mdaemon_xml.users(rows, text)):
        if count % 10_000 == 0:
            progress(count)
        address = rows.address(user.line, f"{user.mailbox}@{user.domain}")
        if address is None:
            continue
        if user.wrong:
            rows.mistake(user.line, f"{address}: {'; '.join(user.wrong)}")
        reports[address] = Report(user.not_expressed, tuple(key for key in _KEYS if key not in user.keys))
        rows.add(address, user.line, user.keys)
    if not reports and not rows.mistakes:
        rows.mistake(1, "there is no User in it: this is no answer of the XML API to GetUserInfo")
    return Import(rows.finished(), reports, encoding)


FORMS: Mapping[str, Callable[[str, str, str, Progress], Import]] = {"csv": _csv, "xml": _xml}


def words(report: Report) -> str:
    """Return a report as a part of a line."""
    parts: Sequence[tuple[str, tuple[str, ...]]] = (
        ("not expressed", report.not_expressed),
        ("left to the defaults", report.left_to_defaults),
    )
    return "; ".join(f"{title}: {_listed(names)}" for title, names in parts if names)


def _listed(found: tuple[str, ...]) -> str:
    more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return ", ".join([*found[:_NAMED], *more])
