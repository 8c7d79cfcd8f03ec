"""A private Exim that takes mail in on stdin and hands all of it to its smart host.

Promises: the parts that mailpolicy made are where their comments say, unchanged; every file is in one folder. Exim's user
is made up with libnss-wrapper, as Debian's package, which has it, cannot be installed beside Postfix.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from tests.helpers import missing
from tests.real.loopback import need_root

GROUP = "mail"  # the group that Exim is in, by its name on this machine
_USER = "nobody"
_SETTINGS = """\
primary_hostname = relay.test
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%s.log
keep_environment = ^LD_PRELOAD$ : ^NSS_WRAPPER_
domainlist local_domains =
# the made-up user does not outlive the setuid program that Exim would start for each delivery
deliver_drop_privilege = true
# a smart host on loopback is not this Exim itself
local_interfaces = 127.99.99.99
smtputf8_advertise_hosts = *
acl_smtp_mail = check_mail
acl_smtp_rcpt = accept
{main}
begin acl
check_mail:
{acl}
  accept
begin routers
{routers}
begin transports
{transports}
begin authenticators
{authenticators}
"""
_PLACES = {
    "main": "In the main section, before the first `begin`",
    "acl": "In the ACL that acl_smtp_mail names, first",
    "routers": "After `begin routers`",
    "transports": "After `begin transports`",
    "authenticators": "After `begin authenticators`",
}


class Exim:
    """Runs once for each session that is handed in."""

    def __init__(self, folder: Path, parts: str) -> None:
        need_root()
        program = os.environ.get("MAILPOLICY_EXIM") or shutil.which("exim4", path="/usr/sbin")
        if program is None:
            missing("exim is missing: MAILPOLICY_EXIM names the program, see .ci/run")
        self.folder = folder
        (folder / "spool").mkdir(parents=True)
        shutil.chown(folder / "spool", _USER, GROUP)
        found = dict.fromkeys(_PLACES, "")
        for part in re.split(r"(?m)^(?=# (?:In|After) )", parts)[1:]:
            (place,) = [place for place, words in _PLACES.items() if part.startswith(f"# {words}")]
            found[place] = part
        settings = folder / "exim.conf"
        settings.write_text(_SETTINGS.format(program=program, folder=folder, **found), encoding="utf-8")
        self._command = [program, "-C", str(settings), "-odi"]
        uid, gid = pwd.getpwnam(_USER).pw_uid, grp.getgrnam(GROUP).gr_gid
        (folder / "users").write_text(f"root:x:0:0::/:/bin/sh\nDebian-exim:x:{uid}:{gid}::/:/bin/false\n")
        (folder / "groups").write_text(f"root:x:0:\nDebian-exim:x:{gid}:\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(folder / "users"),
            "NSS_WRAPPER_GROUP": str(folder / "groups"),
        }

    def _run(self, *arguments: str, text: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            timeout=120,
            check=False,
        )
        return done.stdout.decode(errors="replace")

    def send(self, senders: list[str]) -> None:
        """Hand in a mail of each sender, as a program on the machine does, and wait until all are relayed."""
        for sender in senders:
            said = self._run("-f", sender or "<>", "somebody@elsewhere.test", text=f"From: {sender}\n\nbody\n")
            assert said == "", said + self.log()

    def submit(self, sender: str, login: str | None) -> str:
        """Hand in a mail over SMTP, logged in or not; the answer where it is refused, else nothing."""
        mail = f"MAIL FROM:<{sender}>{'' if sender.isascii() else ' SMTPUTF8'}"
        lines = [
            "EHLO client.test",
            mail,
            "RCPT TO:<somebody@elsewhere.test>",
            "DATA",
            "Subject: test\r\n\r\nbody\r\n.",
        ]
        identity = ("-oMai", login) if login is not None else ()
        said = self._run("-bs", *identity, text="\r\n".join([*lines, "QUIT", ""]))
        refused = [line for line in said.splitlines() if re.match("[45]", line)]
        return refused[0] if refused else ""

    def log(self) -> str:
        """What it wrote down."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "spool").glob("*.log")))
