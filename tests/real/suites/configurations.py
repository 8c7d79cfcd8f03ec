"""Table: the configurations of the suites, as their installers leave them, and every change that a private machine needs.

A file comes from the folder of test data (`data`) as it is. `filled` has what the suite's installer writes in place of its
placeholders. `changes` has what is changed beyond that, each with its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tests.helpers import ROOT


class Change(NamedTuple):
    """A text of a configuration, what stands there instead on a private machine, and why."""

    old: str
    new: str
    why: str


class Layout(NamedTuple):
    """A suite's Dovecot: its version, where its files go, below /etc/dovecot, and what is written into them."""

    version: str
    files: Mapping[str, str]
    filled: Mapping[str, str] = MappingProxyType({})
    changes: tuple[Change, ...] = ()
    installer: tuple[tuple[str, str], ...] = ()  # what the installer replaces by regular expression

    def texts(self, folder: Path) -> dict[str, str]:
        """Return the files as they are on the machine, by their place below /etc/dovecot."""
        found = {}
        unused = {change.old for change in self.changes}
        for source, place in self.files.items():
            text = (folder / source).read_text(encoding="utf-8")
            for pattern, by in self.installer:
                text = re.sub(pattern, by, text, flags=re.M)
            for name, value in sorted(self.filled.items(), reverse=True):  # a name may begin with another
                text = text.replace(name, value)
            for change in self.changes:
                if change.old in text:
                    unused.discard(change.old)
                    text = text.replace(change.old, change.new)
            assert "PH_" not in re.sub("#.*", "", text), f"a placeholder is left in {source}"
            found[place] = text
        assert not unused, f"no file has {unused}"
        return found


def data() -> Path:
    """Return the folder with the configurations; a test that needs them is skipped without it."""
    folder = Path(os.environ.get("MAILPOLICY_SUITES") or ROOT.parent / "shared/data/suites")
    if not folder.is_dir():
        pytest.skip(f"the configurations of mail suites are not in {folder}: set MAILPOLICY_SUITES")
    return folder


_SPOOL = "/var/spool/postfix"
_IREDMAIL = {
    "PH_PROTOCOLS": "pop3 imap sieve lmtp",
    "PH_BASE_DIR": "/var/run/dovecot",
    "PH_MAIL_UID": "2000",
    "PH_MAIL_GID": "2000",
    "PH_FIRST_VALID_UID": "2000",
    "PH_LAST_VALID_UID": "2000",
    "PH_IREDMAIL_SYSLOG_FACILITY": "local5",
    "PH_SSL_CERT": "/etc/ssl/certs/iRedMail.crt",
    "PH_SSL_KEY": "/etc/ssl/private/iRedMail.key",
    "PH_SSL_CIPHERS": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    "PH_SSL_DH1024_PARAM_FILE": "/etc/ssl/dh2048_param.pem",
    "PH_AUTH_DEFAULT_REALM": "example.com",
    "PH_POSTFIX_CHROOT_DIR": _SPOOL,
    "PH_DOVECOT_AUTH_USER": "postfix",
    "PH_DOVECOT_AUTH_GROUP": "postfix",
    "PH_AUTH_MASTER_USER": "vmail",
    "PH_AUTH_MASTER_GROUP": "vmail",
    "PH_SYS_USER_VMAIL": "vmail",
    "PH_SYS_GROUP_VMAIL": "vmail",
    "PH_SERVICE_DICT_USER": "vmail",
    "PH_SERVICE_DICT_GROUP": "vmail",
    "PH_QUOTA_WARNING_USER": "vmail",
    "PH_QUOTA_WARNING_GROUP": "vmail",
    "PH_QUOTA_WARNING_SCRIPT": "/usr/local/bin/dovecot-quota-warning.sh",
    "PH_QUOTA_TYPE": "dict:user::proxy::quotadict",
    "PH_LMTP_BIND_ADDRESS": "127.0.0.1",
    "PH_LMTP_BIND_PORT": "24",
    "PH_MANAGESIEVE_BIND_HOST": "127.0.0.1",
    "PH_MANAGESIEVE_BIND_PORT": "4190",
    "PH_DOVECOT_MASTER_USER_PASSWORD_FILE": "/etc/dovecot/dovecot-master-users",
    "PH_DOVECOT_SERVICE_STATS_USER": "vmail",
    "PH_DOVECOT_SERVICE_STATS_GROUP": "vmail",
    "PH_DOVECOT_SERVICE_STATS_PORT": "24242",
    "PH_DOVECOT_SERVICE_QUOTA_STATUS_BIND_ADDRESS": "127.0.0.1",
    "PH_DOVECOT_SERVICE_QUOTA_STATUS_PORT": "12340",
    "PH_DOVECOT_REALTIME_QUOTA_CONF": "/etc/dovecot/dovecot-used-quota.conf",
    "PH_DOVECOT_SHARE_FOLDER_CONF": "/etc/dovecot/dovecot-share-folder.conf",
    "PH_DOVECOT_LAST_LOGIN_CONF": "/etc/dovecot/dovecot-last-login.conf",
    "PH_DOVECOT_CONF_INCLUDE_DIR": "/etc/dovecot/iredmail",
    "PH_SIEVE_DIR": "/var/vmail/sieve",
    "PH_SIEVE_RULE_FILENAME": "dovecot.sieve",
    "PH_GLOBAL_SIEVE_FILE": "/var/vmail/sieve/dovecot.sieve",
    "PH_PUBLIC_MAILBOX_DIR": "/var/vmail/public",
    "PH_USERDB_DRIVER": "sql",
    "PH_PASSDB_DRIVER": "sql",
    "PH_SQL_SERVER_ADDRESS": "127.0.0.1",
    "PH_VMAIL_DB_NAME": "vmail",
    "PH_VMAIL_DB_BIND_USER": "vmail",
    "PH_VMAIL_DB_BIND_PASSWD": "secret",
    "PH_VMAIL_DB_ADMIN_USER": "vmailadmin",
    "PH_VMAIL_DB_ADMIN_PASSWD": "secret",
}
_NO_LMTP = Change("protocols = pop3 imap sieve lmtp", "protocols = pop3 imap sieve", "dovecot-lmtpd is not installed")


def _iredmail_23(driver: str, quote: str, port: str) -> Layout:
    args = f"/etc/dovecot/dovecot-{driver}.conf"
    return Layout(
        "2.3",
        {"iredmail/dovecot.conf": "dovecot.conf", "iredmail/dovecot-sql.conf": f"dovecot-{driver}.conf"},
        {
            **_IREDMAIL,
            "PH_USERDB_ARGS": args,
            "PH_PASSDB_ARGS": args,
            "PH_DOVECOT_SQL_DBN": driver,
            "PH_SQL_DRIVER": driver,
            "PH_SQL_SERVER_PORT": port,
        },
        (_NO_LMTP,),
        ((r"(.*mailbox\.)(enable.*Lc)(=1)", rf"\1{quote}\2{quote}\3"),),
    )


def _iredmail_24(driver: str, port: str) -> Layout:
    source = {"mysql": "mariadb", "pgsql": "pgsql"}[driver]
    return Layout(
        "2.4",
        {f"iredmail/dovecot-2.4-{source}.conf": "dovecot.conf"},
        {**_IREDMAIL, "PH_SQL_SERVER_PORT": port},
    )


_DMS = "docker-mailserver/dovecot"
_DMS_FILES = (
    *("10-auth.conf", "10-logging.conf", "10-mail.conf", "10-master.conf", "10-ssl.conf", "15-mailboxes.conf"),
    *("20-imap.conf", "20-lmtp.conf", "60-stats.conf", "90-quota.conf", "90-sieve.conf"),
    *("auth-ldap.conf.ext", "auth-master.inc", "auth-oauth2.conf.ext", "auth-passwdfile.inc", "chroot.inc"),
    "lmtp-master.inc",
)

LAYOUTS = {
    "docker-mailserver": Layout(
        "2.4",
        {f"{_DMS}/{name}": f"conf.d/{name}" for name in _DMS_FILES},
    ),
    "iredmail-2.3-mysql": _iredmail_23("mysql", "`", "3306"),
    "iredmail-2.3-pgsql": _iredmail_23("pgsql", '"', "5432"),
    "iredmail-2.4-mysql": _iredmail_24("mysql", "3306"),
    "iredmail-2.4-pgsql": _iredmail_24("pgsql", "5432"),
    "postfixadmin": Layout(
        "2.4",
        {"postfixadmin/dovecot-2.4-local.conf": "local.conf"},
        {"DATABASE_PASSWORD": "secret", "domain.com": "example.com"},
        (
            Change("ssl_cipher_list = PROFILE=SYSTEM\n", "", "only OpenSSL of Red Hat has this profile"),
            Change("user = apache", "user = www-data", "the web server's user on Debian"),
        ),
    ),
}
