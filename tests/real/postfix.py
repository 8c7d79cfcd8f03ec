"""A private Postfix on loopback that takes mail in over SMTP and hands all of it to its smart host.

Promises: its configuration begins with the lines that mailpolicy made, unchanged; every file, queue, socket and log is in
one folder; it is ended by its own process id.
"""

from __future__ import annotations

import base64
import shutil
import smtplib
import subprocess
from pathlib import Path

from tests.real.loopback import HOST, Server, free_port, need, need_root

_SERVICES = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
# What the machine of the test needs, and nothing that changes who gets which login.
_TEST = """
# of the test
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
alias_maps =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {login}
"""


_QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]


class Postfix(Server):
    """Runs from `with` on; whoever logs in is known by the socket `login`, in Dovecot's protocol."""

    def __init__(self, folder: Path, lines: str, login: Path) -> None:
        need_root()
        need("postmap", "postfix")
        need("postconf", "postfix")
        self.port = free_port()
        super().__init__(folder, self.port)
        self.settings, queue = folder / "etc", folder / "queue"
        for path in (self.settings, queue / "pid", folder / "data"):
            path.mkdir(parents=True)
        for path in (folder / "data", *(queue / name for name in _QUEUES)):
            path.mkdir(mode=0o700, exist_ok=True)
            shutil.chown(path, "postfix")
        for path, mode in ((queue / "maildrop", 0o1730), (queue / "public", 0o2710)):
            path.mkdir()
            shutil.chown(path, "postfix", "postdrop")
            path.chmod(mode)
        (self.settings / "main.cf").write_text(lines + _TEST.format(folder=folder, login=login), encoding="utf-8")
        (self.settings / "master.cf").write_text(_SERVICES.format(port=f"{HOST}:{self.port}"), encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command of master(8) and not postfix(1), which looks through the whole installation first."""
        where = subprocess.run(["postconf", "-dh", "daemon_directory"], capture_output=True, text=True, check=True)
        return [f"{where.stdout.strip()}/master", "-c", str(self.settings), "-d"]

    def submit(self, sender: str, *, login: str | None = None, recipient: str = "somebody@elsewhere.test") -> str:
        """Hand in a mail, logged in or not; the answer to MAIL FROM and RCPT TO where it is refused, else nothing."""
        with smtplib.SMTP(HOST, self.port, local_hostname="client.test", timeout=20) as client:
            client.ehlo()
            if login is not None:
                given = base64.b64encode(f"\0{login}\0password".encode()).decode()
                assert client.docmd("AUTH PLAIN", given)[0] == 235
            options = [] if sender.isascii() else ["SMTPUTF8"]
            client.command_encoding = "utf-8"
            for answer in (client.mail(sender, options), client.rcpt(recipient)):
                if answer[0] >= 400:
                    return answer[1].decode()
            client.data(f"From: <{sender}>\r\nSubject: test\r\n\r\nbody\r\n".encode())
        return ""
