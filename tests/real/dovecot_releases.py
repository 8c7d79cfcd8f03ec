"""The releases of Dovecot that are installed here, and how the settings of a site are written for each."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import NamedTuple

from tests.helpers import missing

# What the versions say differently: the first lines, and where the site's users, their passwords and mails are.
HEADINGS = {
    "2.3": "disable_plaintext_auth = no",
    "2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\nauth_allow_cleartext = yes",
}


SITES = {
    "2.3": """\
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
""",
    "2.4": """\
mail_driver = maildir
mail_path = ~/Maildir
passdb site {{
  driver = passwd-file
  passwd_file_path = {folder}/users
  default_password_scheme = PLAIN
  auth_username_format = %{{user | lower}}
}}
userdb site {{
  driver = static
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user}}
  }}
}}
""",
}


class Release(NamedTuple):
    """One Dovecot that can be run: its version as the exports know it, and the folders of its programs."""

    version: str
    folders: tuple[str, ...]

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        found = shutil.which(name, path=":".join(self.folders))
        return found or missing(f"Dovecot {self.version} has no {name}: {_SOURCES[self.version]}")


VERSIONS = ("2.3", "2.4")


_SOURCES = {
    "2.3": "apt install dovecot-imapd dovecot-pop3d",
    "2.4": "tests/real/get-dovecot24 FOLDER, and MAILPOLICY_DOVECOT_24=FOLDER/bin",
}


@cache
def _releases() -> dict[str, Release]:
    """What is there, by version: the installed one, and the one of MAILPOLICY_DOVECOT_24."""
    found = {}
    places = [(*os.get_exec_path(), "/usr/sbin", "/usr/lib/dovecot")]
    if (unpacked := os.environ.get("MAILPOLICY_DOVECOT_24")) is not None:
        places.append((unpacked,))
    for folders in places:
        program = shutil.which("dovecot", path=":".join(folders))
        if program is not None:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            found[said[:3]] = Release(said[:3], folders)
    return found


def release(version: str) -> Release:
    """The Dovecot of a version; the test is skipped without it, or fails where everything must be there."""
    return _releases().get(version) or missing(f"Dovecot {version} is missing: {_SOURCES[version]}")
