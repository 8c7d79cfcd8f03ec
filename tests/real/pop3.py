"""A private Dovecot: the POP3 server elsewhere that mail is collected from, and a socket where logins are asked.

Promises: a certificate of the tests' own authority; every file is in one folder; it is ended by its own process id.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

from tests.real.loopback import Certificate, Server, free_port, need, need_root

_SETTINGS = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate.chain}
ssl_key = <{certificate.key}
disable_plaintext_auth = no
auth_username_chars =
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
namespace inbox {{
  inbox = yes
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {plain}
  }}
  inet_listener pop3s {{
    port = {secure}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  unix_listener {login} {{
    mode = 0666
  }}
}}
passdb {{
  {passdb}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
"""


class Dovecot(Server):
    """Runs from `with` on, for `passwords` by login; without them everybody logs in with any name and `password`.

    `plain` is the port with STARTTLS, `secure` that with TLS from the beginning, `login` the socket for a Postfix.
    """

    def __init__(self, folder: Path, certificate: Certificate, passwords: Mapping[str, str] | None = None) -> None:
        need_root()
        self._dovecot = need("dovecot", "dovecot-pop3d")
        self.plain, self.secure = free_port(), free_port()
        super().__init__(folder, self.plain, self.secure)
        self.login = folder / "login"
        self._passwords = passwords
        (folder / "mail").mkdir(parents=True)
        (folder / "mail").chmod(0o777)
        passdb = "driver = static\n  args = password=password"
        if passwords is not None:
            # Dovecot looks a name up with a backslash before each of these.
            escaped = {re.sub(r"""([\\"'])""", r"\\\1", login): password for login, password in passwords.items()}
            lines = [f"{login}:{{PLAIN.b64}}{_base64(password)}\n" for login, password in escaped.items()]
            (folder / "passwd").write_text("".join(lines), encoding="utf-8")
            passdb = f"driver = passwd-file\n  args = {folder}/passwd"
        settings = _SETTINGS.format(
            folder=folder,
            certificate=certificate,
            plain=self.plain,
            secure=self.secure,
            login=self.login,
            passdb=passdb,
        )
        self._settings = folder / "dovecot.conf"
        self._settings.write_text(settings, encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command that stays in the foreground."""
        return [self._dovecot, "-F", "-c", str(self._settings)]

    def deliver(self, login: str, name: str, content: bytes) -> None:
        """Put a mail into a mailbox."""
        new = self.folder / "mail" / login / "new"
        for path in (new.parent, new, new.parent / "cur", new.parent / "tmp"):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        (new / name).write_bytes(content)
        (new / name).chmod(0o666)

    def mails(self, login: str) -> list[bytes]:
        """What is in a mailbox."""
        return [
            path.read_bytes() for part in ("new", "cur") for path in (self.folder / "mail" / login / part).iterdir()
        ]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
