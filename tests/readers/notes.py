"""Readers of what mailpolicy itself has written: sealed file and key, journal, markers, heads of deployed files."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mailpolicy.cli.commands import log as log_command
from mailpolicy.cli.output import Output
from mailpolicy.deploy import passdbs
from mailpolicy.deploy.last_run import LastRun
from mailpolicy.deploy.sealed_writes import SealedWrites
from mailpolicy.edit import undo
from mailpolicy.edit.history import entries
from mailpolicy.edit.history.entries import History
from mailpolicy.edit.history.journal import Journal
from mailpolicy.edit.transaction import transact
from mailpolicy.errors import MailpolicyError
from mailpolicy.export import dovecot
from mailpolicy.export.stamp import body_of, stamped, state
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Header, Key, seal
from mailpolicy.sealed.key_source import KeyLocations
from mailpolicy.secrets import pending
from mailpolicy.store.store import Store
from mailpolicy.system.digests import digest
from mailpolicy.system.held import without_lock
from tests.helpers import NOW, now
from tests.readers import stores

_MASTER = bytes(range(32))
_KEY = Key(_MASTER)
_HEADER = Header(_KEY.id, 3)
_NONCE = bytes(12)
_SECRETS = {"mailpolicy": {"smart-host/alice@example.com/smtp.relay.example:587": "s3cret-of-today"}}
BODY = "# services: imap pop3\nimap/alice@example.com:*::::::allow_nets=10.0.0.0/8\npop3/alice@example.com:*::::::\n"
SNIPPET = """\
protocol imap {
  passdb {
    args = username_format=%Ls/%Lu /etc/mailpolicy/dovecot/mailpolicy.passwd
    driver = passwd-file
    name = mailpolicy
  }
}
"""


def sealed_seeds() -> Iterator[bytes]:
    """Yield a sealed file, a key, and the inside of a file."""
    yield b"\0" + seal("secrets", _KEY, 3, _SECRETS)
    yield b"\1" + _MASTER
    yield b"\1" + _MASTER.hex().encode() + b"\n"
    yield b"\2" + json.dumps(_SECRETS).encode()


def sealed(out: Output, data: bytes) -> None:
    """Read a sealed file of these bytes, one with them under its seal, or one whose key they are."""
    place, key = stores.folder() / "secrets", stores.folder() / "key"
    kind, rest = data[:1], data[1:]
    if kind == b"\0":
        content = rest
    elif kind == b"\1":
        content = seal("secrets", _KEY, 3, _SECRETS)
    else:
        content = bytes(_HEADER) + _NONCE + _KEY.cipher.encrypt(_NONCE, rest, bytes(_HEADER))
    place.write_bytes(content)
    key.write_bytes(rest if kind == b"\1" else _MASTER)
    key.chmod(0o600)
    file = SecretsFile.at(str(place), KeyLocations(key_file=str(key)))
    header = file.header()
    found = file.get_all()
    out.lines([str(header), *(f"{service} {sorted(users)}" for service, users in found.items())])
    file.get_many("mailpolicy", ["smart-host/alice@example.com/smtp.relay.example:587"])


def journal_seeds() -> Iterator[bytes]:
    """Yield journals: of an edit of each kind, and of what became of it."""
    content = digest(stores.POLICY_TEXT.encode())
    about: dict[str, object] = {"time": "2026-11-27T12:00:00Z", "id": "0123456789", "user": "root", "command": "pop on"}
    edit = {"event": "edit", **about, "before": "00", "after": content, "stamp": "1 2"}
    account = ["accounts", "alice@example.com"]
    changes: list[dict[str, object]] = [
        {"path": [*account, "pop"], "old": False, "new": True},
        {"path": [*account, "expires"], "old": None, "new": "2026-12-31"},
        {"path": ["server", "lan"], "removed": ["10.1.0.0/16"], "added": ["fd00::/8"]},
        {"path": ["accounts", "carol@example.com"], "renamed": "bob@example.com"},
        {
            "path": ["accounts", "bob@example.com"],
            "old": {"pop": True, "temporary": {"until": "2026-12-04"}},
            "new": None,
        },
    ]
    for change in changes:
        yield json.dumps({**edit, "changes": [change]}).encode() + b"\n"
    lines: list[dict[str, object]] = [
        {**edit, "changes": changes},
        {**edit, "id": "aa23456789", "undoes": "0123456789", "changes": []},
        {"event": "aborted", "time": "2026-11-27T12:00:01Z", "id": "aa23456789", "after": content},
        {"event": "changed outside", "time": "2026-11-27T12:00:02+01:00", "before": content, "after": content},
        {**edit, "id": "bb23456789", "keys": 2000},
    ]
    yield b"\n".join(json.dumps(line).encode() for line in lines)


def journal(out: Output, data: bytes) -> None:
    """List a journal, take its newest edit back, and append to it."""
    path = stores.folder() / "journaled.toml"
    path.write_text(stores.POLICY_TEXT, encoding="utf-8")
    path.with_name("journaled.toml.log").write_bytes(data)
    store = Store.read(str(path))
    with without_lock(str(path), check_trust=False) as held:
        history = entries.read(held, digest(store.data))
        with held.line_file("log", b'{"event": "') as file:
            missing = list(Journal("root", None, "pop on", now)._missing(file, digest(store.data), held.stamp()))
    out.lines(map(str, history.unreadable))
    out.lines(str({key: value for key, value in event.items() if key != "id"}) for event in missing)
    for entry in history.entries:
        out.records([log_command._row(entry, "alice@example.com")])
        out.json("log/1", log_command._object(history.path, entry))
        out.lines([str(entry.time >= NOW)])
    out.lines(entry.id for entry in history.about("alice@example.com"))
    for identity in (None, "0123456789"):
        try:
            _take_back(out, store, history, identity)
        except MailpolicyError as error:
            out.failure(error)


def _take_back(out: Output, store: Store, history: History, identity: str | None) -> None:
    entry = undo.chosen(history, identity)
    undo.refuse_unusable(history, entry)
    done = transact(store, lambda _: undo.plan(store, entry, lambda: history), now, dry_run=True)
    out.patch(done.diff or "")


def beside(out: Output, data: bytes) -> None:
    """Read a marker beside a store, the notes of deploy, and the file that deploy would replace."""
    path = stores.folder() / "marked.toml"
    path.write_text(stores.POLICY_TEXT, encoding="utf-8")
    for suffix in ("pending", "deployed", "secrets"):
        path.with_name(f"marked.toml.{suffix}").write_bytes(data)
    last = LastRun(str(path))
    for read in (  # each, although bytes that are no note of one kind are refused by its reader
        lambda: out.lines(pending.user_names(str(path))),
        lambda: _interrupted(out, str(path)),
        lambda: out.lines([str(SealedWrites(str(path), "secrets").older(_HEADER))]),
        lambda: _deployed(out, data.decode("utf-8", "replace"), data),
        lambda: out.lines(map(str, last.not_followed("alice@example.com", [NOW]))),
        lambda: last.refuse_past(NOW),
    ):
        try:
            read()
        except MailpolicyError as error:
            out.failure(error)


def _interrupted(out: Output, path: str) -> None:
    for warning in pending.warnings(path):
        out.message(warning)


def _deployed(out: Output, text: str, data: bytes) -> None:
    out.lines([state(data, stamped("dovecot", BODY)), str(body_of("dovecot", data))])
    keep = dovecot.to_keep(BODY, text)
    kept = dovecot.keeping(BODY, text, keep)
    out.lines([str(keep), *dovecot.dated(kept, NOW).splitlines(), *map(dovecot.masked, text.splitlines())])
    for strategy in ("allow-list", "deny-list"):
        out.lines(dovecot.narrowed(text, BODY, strategy))
        out.lines(dovecot.narrowed(BODY, text, strategy))
    services = passdbs.services_of(text)
    for merges in (False, True):
        out.lines(passdbs.asked_before_policy(text, SNIPPET, services, merges=merges) or ())
        out.lines(passdbs.altered_settings(text, SNIPPET, services, merges=merges))
    out.lines(passdbs.services_reading(text, "/etc/mailpolicy/dovecot/mailpolicy.passwd"))
