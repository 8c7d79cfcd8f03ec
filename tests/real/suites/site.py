"""A mail server with a suite's Dovecot on a private machine: what its installer did, its accounts, and questions to it."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.helpers import ROOT, missing
from tests.real.clients import PATIENCE, Attempt, Auth
from tests.real.dovecot_releases import release
from tests.real.loopback import until
from tests.real.private import PrivateMachine
from tests.real.suites.configurations import Layout

CONTAINER = "/opt/dovecot-2.4"  # where the files of Dovecot 2.4 are on the machine
# Read last by Dovecot. Refusals are delayed by two seconds otherwise.
TESTING = "auth_failure_delay = 0\n"
# Questions at once, by version. 2.3 answers refusals in bundles, twice a second; with many at once 2.4 runs out of the
# processes that ask the database, and then refuses.
AT_ONCE = {"2.3": 400, "2.4": 10}
_USERS = """
groupadd --gid 2000 vmail
useradd --uid 2000 --gid 2000 --no-create-home --home-dir /var/vmail --shell /usr/sbin/nologin vmail
install --directory --owner=vmail --group=vmail /var/vmail
install --directory /var/spool/postfix/private
"""
_PROGRAM = f"ln -s {Path(sys.executable).parent}/mailpolicy /usr/local/bin/mailpolicy\n"
# Dovecot 2.4 as if it were installed: its own programs and libraries, but the folders and users of the machine.
_INSTALLED_24 = f"""
mkdir -p /etc/mailpolicy /etc/letsencrypt
for folder in /dev /etc/dovecot /etc/letsencrypt /etc/mailpolicy /etc/ssl /proc /run /tmp /var/lib/dovecot /var/spool/postfix /var/vmail; do
    mkdir -p "$folder" "{CONTAINER}$folder"
    mount --rbind "$folder" "{CONTAINER}$folder"
done
rm -rf /etc/dovecot/*
cp /etc/passwd /etc/group {CONTAINER}/etc
for program in /usr/sbin/dovecot /usr/bin/doveadm /usr/bin/doveconf; do
    rm -f "$program"
    printf '%s\\n' '#!/bin/sh' "exec chroot {CONTAINER} $program \\"\\$@\\"" > "$program"
    chmod 0755 "$program"
done
"""
# Dovecot 2.4 as a container has it: nothing of the machine is there, and the same user has another number.
_CONTAINER_24 = f"""
for folder in /dev /proc; do
    mkdir -p "{CONTAINER}$folder"
    mount --rbind "$folder" "{CONTAINER}$folder"
done
mount -t tmpfs tmpfs {CONTAINER}/dev/shm
mount -t tmpfs tmpfs {CONTAINER}/run
mount -t tmpfs tmpfs {CONTAINER}/tmp
rm -rf {CONTAINER}/etc/dovecot
printf '%s\\n' root:x:0:0::/root:/bin/sh dovecot:x:901:902::/:/bin/false dovenull:x:903:904::/:/bin/false \\
    postfix:x:905:906::/:/bin/false docker:x:5000:5000::/:/bin/false > {CONTAINER}/etc/passwd
printf '%s\\n' root:x:0: dovecot:x:902: dovenull:x:904: postfix:x:906: docker:x:5000: > {CONTAINER}/etc/group
mkdir -p {CONTAINER}/etc/ssl/certs {CONTAINER}/etc/ssl/private {CONTAINER}/var/mail
# Two programs of the image's Debian.
for program in /usr/bin/cat /usr/bin/id; do
    cp "$program" {CONTAINER}/usr/bin
    for library in $(ldd "$program" | grep -o '/lib/[^ ]*'); do
        [ -e "{CONTAINER}$library" ] || {{ mkdir -p "{CONTAINER}$(dirname "$library")"; cp "$library" "{CONTAINER}$library"; }}
    done
done
rm -rf /etc/dovecot /usr/sbin/dovecot /usr/bin/doveadm /usr/bin/doveconf
"""
# Debian's own files of Dovecot 2.4, where the suite has none; the users of the machine are no mail users.
PACKAGED = f"""
mkdir -p {{there}}/conf.d {CONTAINER}/usr/share/dovecot/protocols.d
cp -rn {CONTAINER}/usr/share/dovecot/dovecot.conf {CONTAINER}/usr/share/dovecot/conf.d {{there}}
sed -i 's/^!include auth-system/#&/' {{there}}/conf.d/10-auth.conf
printf '%s\\n' 'protocols {{{{' 'imap = yes' 'pop3 = yes' 'sieve = yes' 'lmtp = yes' '}}}}' > \
    {CONTAINER}/usr/share/dovecot/protocols.d/all.protocol
"""
_OWN_FILES = re.compile(r"^\s*ssl(?:_\w+)?_(?P<kind>cert|key|dh)(?:_file)? = <?(?P<path>/\S+)$", re.M)


def lent(layout: Layout) -> dict[str, Path]:
    """Return the folders of the outside that the private machine of a suite needs."""
    found = {str(ROOT): ROOT}
    modules = Path("/usr/lib/dovecot/modules")
    if layout.version == "2.4":
        program = Path(release("2.4").program("dovecot"))
        root = program.parent.parent / "root"
        if not root.is_dir():
            missing("MAILPOLICY_DOVECOT_24 is not of tests/real/get-dovecot24: its folder has no root")
        found[CONTAINER] = root
        modules = root / "usr/lib/dovecot/modules"
    for name in ("mysql", "pgsql"):
        if not (modules / f"auth/libdriver_{name}.so").exists():
            missing(
                f"Dovecot {layout.version} has no dovecot-{name}: apt install it, or run tests/real/get-dovecot24 again"
            )
    return found


class Site:
    """The server; `container` is whether its Dovecot is in a container."""

    container = False

    def __init__(self, machine: PrivateMachine, layout: Layout, texts: Mapping[str, str]) -> None:
        self.machine = machine
        self.version = layout.version
        self._inside = CONTAINER if self.container else ""
        self.needed(_USERS + _PROGRAM)
        if layout.version == "2.4":
            self.needed(_CONTAINER_24 if self.container else _INSTALLED_24)
        else:
            self.needed("rm -rf /etc/dovecot/*")
        for place, text in texts.items():
            self.write(f"{self._inside}/etc/dovecot/{place}", text)
            for found in _OWN_FILES.finditer(text):
                self.own_file(found["kind"], self._inside + found["path"])

    def own_file(self, kind: str, path: str) -> None:
        """Make a file that the configuration names: a certificate, its key, parameters."""
        pair = "-keyout /srv/key.pem -out /srv/cert.pem"
        self.needed(
            f"""
[ -e /srv/cert.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost {pair} 2>/dev/null
[ -e /srv/dh.pem ] || openssl dhparam -dsaparam -out /srv/dh.pem 1024 2>/dev/null
mkdir -p "$(dirname {path})"
cp /srv/{kind}.pem {path}
"""
        )

    def needed(self, script: str) -> None:
        """Run a script that must succeed."""
        done = self.machine.run(script)
        assert done.status == 0, done.shown

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine."""
        file = Path(f"{self.machine.root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def restart(self) -> None:
        """Start Dovecot, or start it again, and wait until it answers."""
        self.machine.run("doveadm stop")
        until("Dovecot has ended", lambda: self.machine.run("pgrep -x dovecot").status != 0)
        self.needed("dovecot")
        self.wait()

    def wait(self) -> None:
        """Wait until Dovecot answers."""
        until("Dovecot answers", self._answers)

    def _answers(self) -> bool:
        try:
            self.ask([])
        except OSError:
            return False
        return True

    def ask(self, attempts: Iterable[Attempt]) -> list[bool]:
        """For each try, in order, whether PLAIN lets in."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(f"{self.machine.root}{self._inside}/run/dovecot/auth-client")
            auth, waiting, count = Auth(connection), list(attempts), AT_ONCE[self.version]
            parts = [waiting[start : start + count] for start in range(0, len(waiting), count)]
            return [answer for part in parts for answer in auth.ask(part)]
