"""A private Kerberos realm on loopback, and a site that lets in by its tickets.

Promises: the realm's files are in one folder, and its server is ended by its own process id.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.real.clients import Attempt
from tests.real.dovecot import Dovecot
from tests.real.loopback import free_port, listening, need, until

_REALM = "EXAMPLE.COM"
_CLIENT = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
"""
_SERVER = """\
[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
  database_name = {folder}/principals
  key_stash_file = {folder}/stash
}}
"""
_SITE = """\
auth_mechanisms = plain gssapi
auth_gssapi_hostname = localhost
auth_krb5_keytab = {folder}/dovecot.keytab
"""


class Realm:
    """A realm with these users of example.com, running from `with` on; `server` takes its tickets from its next start on."""

    def __init__(self, server: Dovecot, users: Iterable[str]) -> None:
        self._server = need("krb5kdc", "krb5-kdc")
        self._curl = need("curl", "curl")
        self._folder = server.folder / "realm"
        self._folder.mkdir()
        self._port = free_port()
        for name, text in (("krb5.conf", _CLIENT), ("kdc.conf", _SERVER)):
            filled = text.format(realm=_REALM, port=self._port, folder=self._folder)
            (self._folder / name).write_text(filled, encoding="utf-8")
        self._environment = {
            **os.environ,
            "KRB5_CONFIG": str(self._folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self._folder / "kdc.conf"),
            "KRB5CCNAME": "MEMORY:",
        }
        self._run("kdb5_util", "create", "-s", "-r", _REALM, "-P", "of the database")
        keys = {f"{service}/localhost": "dovecot" for service in ("imap", "pop")} | {user: user for user in users}
        lines = (f"addprinc -randkey {name}\nktadd -k {self._keytab(file)} {name}\n" for name, file in keys.items())
        self._run("kadmin.local", "-r", _REALM, feed="".join(lines))
        self._keytab("dovecot").chmod(0o644)
        site = server.folder / "conf.d" / "50-tickets.conf"
        site.write_text(_SITE.format(folder=self._folder), encoding="utf-8")

    def _keytab(self, name: str) -> Path:
        return self._folder / f"{name}.keytab"

    def _run(self, program: str, *arguments: str, feed: str = "") -> None:
        command = [need(program, "krb5-kdc krb5-admin-server"), *arguments]
        subprocess.run(command, input=feed.encode(), capture_output=True, env=self._environment, timeout=30, check=True)

    def __enter__(self) -> Realm:
        command = [self._server, "-n", "-r", _REALM]
        quiet = subprocess.DEVNULL
        self._running = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=self._environment)
        until("the realm's server listens", lambda: listening(self._port))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.terminate()
        self._running.wait(20)

    def logs_in(self, server: Dovecot, attempt: Attempt) -> bool:
        """Whether a real client at the loopback address gets in with the user's ticket."""
        user = attempt.user.partition("@")[0]
        port = server.imap_port if attempt.service == "imap" else server.pop3_port
        command = [self._curl, "--silent", "--interface", attempt.ip, "--login-options", "AUTH=GSSAPI"]
        ended = subprocess.run(
            [*command, "--user", f"{user}@{_REALM}:", f"{attempt.service}://localhost:{port}/"],
            env={**self._environment, "KRB5_CLIENT_KTNAME": str(self._keytab(user))},
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode in (0, _DENIED), ended
        return ended.returncode == 0


_DENIED = 67  # curl: the login was denied
