"""A machine with everything on it that commands use: a store, secrets, exports, tokens, cases, a journal, plans and logs.

It is made once; each run gets a copy, so that runs neither see each other nor have to be undone.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from tests import everything
from tests.helpers import RELAY, ROOT
from tests.real.proof.leaks import sentinels
from tests.real.proof.leaks.sentinels import Secret
from tests.sealing import BACKEND, sealed_file

JSON, SEALED = "tests.backends.Json", BACKEND
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
SOURCE = f"multipop/{BOB}/isp/b@pop.isp.example:995/implicit"
USERS = (f"smart-host/@server/{RELAY}", f"smart-host/{ALICE}/{RELAY}", SOURCE)
EXPORTS = "exports"  # the folder of exported files

_STORE = (
    everything.STORE.replace(f'[accounts."{ALICE}"]\n', f'[accounts."{ALICE}"]\nsmart_host_login = "a"\n')
    + f"""
[accounts."{CAROL}"]
multipop = true

[accounts."{CAROL}".sources.office]
host = "outlook.office.example"
login = "carol"
auth = "xoauth2"
token = "office"
"""
)
_HOST = """\
keyring_backend = "{keyring}"
secrets_file = "{folder}/secrets"
key_file = "{folder}/key"
journal = true

[tokens.office]
command = ["{folder}/make-token", "{{login}}"]

[exports.dovecot]
target = "dovecot"
path = "{folder}/exports/dovecot"
token_file = "{folder}/dovecot-token"
reload = ["/bin/true"]

[exports.exim]
target = "exim-passwd"
path = "{folder}/exports/exim"
reload = ["/bin/false"]

[exports.postfix]
target = "postfix-sasl-passwd"
path = "{folder}/exports/postfix"

[exports.fetchmail]
target = "fetchmail"
path = "{folder}/exports/fetchmail"
"""
_XML = (
    "<MDaemon><API><Response><Result><User><Mailbox>new</Mailbox><Domain>example.com</Domain><Password>{listed}</Password>"
    "<Details><Password>{listed}</Password></Details></User></Result></Response></API></MDaemon>\n"
)


class Site:
    """The machine that the copies are made of; `looked_for` are its secrets by what they are."""

    def __init__(self, folder: Path, middle: str, keyring: str) -> None:
        self.folder = folder
        self.keyring = keyring
        self.secrets = sentinels.secrets(middle)
        folder.mkdir()
        for name, text in _files({name: secret.text for name, secret in self.secrets.items()}).items():
            (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        (folder / "make-token").chmod(0o755)
        (folder / "dovecot-token").chmod(0o600)
        (folder / EXPORTS).mkdir()
        (folder / "home").mkdir(0o700)
        kept = dict.fromkeys(USERS, self.secrets["kept"].text)
        sealed_file(folder).change("mailpolicy", kept if keyring == SEALED else {})
        (folder / "keyring.json").write_text(json.dumps({"mailpolicy": kept if keyring != SEALED else {}}))

    def copy(self, folder: Path) -> Path:
        """Make a machine like this one in a folder, in place of the one that is there."""
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.folder, folder)
        host = _HOST.format(keyring=self.keyring, folder=folder)
        (folder / "host.toml").write_text(host, encoding="utf-8", errors="surrogateescape")
        return folder

    def leaks(self, folder: Path, parts: Mapping[str, bytes], allowed: frozenset[str] = frozenset()) -> list[str]:
        """Return where a secret is that must not be there: in `parts`, unless it is allowed there, or in a file."""
        keys = [
            sentinels.raw("a key", path.read_bytes()) for path in folder.glob("key*") if path.name != "keyring.json"
        ]
        keys = [key for key in keys if all(len(form) > 8 for form in key.forms)]
        looked_for = [*(secret for secret in self.secrets.values() if secret.name not in allowed), *keys]
        return sentinels.found(parts, looked_for) + self._in_files(folder, [*self.secrets.values(), *keys])

    def _in_files(self, folder: Path, looked_for: list[Secret]) -> list[str]:
        leaks = []
        for path in folder.rglob("*"):
            name = str(path.relative_to(folder))
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or name == "keyring.json" or name.startswith("key"):
                continue
            content = path.read_bytes()
            original = self.folder / name
            if original.exists() and original.read_bytes() == content:
                continue  # as it was given
            if name.startswith(EXPORTS):
                # The files of programs that need the secrets; Dovecot's, with its token, may be read by a group.
                readers = [0o007 if secret.name == "dovecot" else 0o077 for secret in looked_for]
                wrong = [secret for secret, mode in zip(looked_for, readers, strict=True) if found.st_mode & mode]
                leaks += sentinels.found({name: content}, wrong)
            else:
                leaks += sentinels.found({name: content, f"the name of {name}": name.encode()}, looked_for)
        return leaks


def options(folder: Path) -> list[str]:
    """The options of a run on a machine."""
    return ["--file", str(folder / "accounts.toml"), "--host-config", str(folder / "host.toml")]


def environment(folder: Path) -> dict[str, str]:
    """The environment of a run on a machine."""
    home = str(folder / "home")
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "XDG_RUNTIME_DIR": home,
        "XDG_CONFIG_HOME": home,
        "XDG_DATA_HOME": home,
        "PYTHONPATH": str(ROOT),
        "TEST_KEYRING": str(folder / "keyring.json"),
        "TEST_STORE": str(folder / "accounts.toml"),
        "MAILPOLICY_NO_CACHE": "1",
        "EDITOR": "true",
        "COLUMNS": "100",
    }


def _files(secret: Mapping[str, str]) -> dict[str, str]:
    listed, quoted = secret["listed"], json.dumps(secret["listed"], ensure_ascii=False)
    comma = listed.replace('"', '""')
    return {
        "accounts.toml": _STORE,
        "new.toml": _STORE.replace("imap = true", "imap = false").replace("smtp.relay", "smtp.other"),
        "doubtful.toml": _STORE.replace("10.0.0.0/8", "8.8.8.8"),
        "with-password.toml": _STORE.replace("pop = true\n", f"pop = true\npassword = {quoted}\n"),
        "questions": f"{ALICE} pop 10.0.0.1\n{ALICE} pop nowhere\n{ALICE}:{listed}\n{ALICE} {listed} 10.0.0.1\n",
        "cases.toml": everything.CASES,
        "log": f"{everything.LOG}Jun 12 16:21:30 mx1 dovecot: auth: Debug: client in: AUTH\t1\tPLAIN\tresp={listed}\n"
        f"Jun 12 16:21:31 mx1 dovecot: auth: passwd({ALICE},203.0.113.9): Password mismatch (given password: {listed})\n",
        "accounts.toml.log": everything.JOURNAL,
        "password": secret["given"] + "\n",
        "passwords": f"{secret['given']}\n{secret['given']}\n",
        "lan.txt": "192.168.*.*\n",
        "mdaemon.csv": f'"MailBox","Domain","AllowAccess","Password"\n"new","example.com",Yes,"{comma}"\n',
        "mdaemon.xml": _XML.format(listed=listed.translate({38: "&amp;", 60: "&lt;", 62: "&gt;"})),
        "mdaemon-broken.xml": _XML.format(listed=f"<{listed}"),
        "plan.csv": "address,pop,imap\nalice@example.com,off,inherit\nnew@example.com,,off\n",
        "with-password.csv": f'address,password,pop\n{ALICE},"{comma}",on\n{BOB},"{comma}","{comma}"\n"{comma}",,on\n',
        "with-password.ndjson": f'{{"address": "{ALICE}", "password": {quoted}, "pop": {quoted}}}\n{{{quoted}\n',
        "plan-with-password.toml": f'[accounts."{ALICE}"]\npassword = {quoted}\npop = {quoted}\n',
        "make-token": f"#!/bin/sh\necho {secret['token']} >&2\necho {secret['token']}\n",
        "dovecot-token": secret["dovecot"] + "\n",
    }
