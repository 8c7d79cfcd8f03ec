"""A sealed file of the tests' own, in a folder: nothing of a desktop is needed.

`sealed_file(tmp_path)` makes the file and its key, and `.change(...)` fills it; `options(tmp_path)` are what a run of
mailpolicy needs to use it, `host_config` the text of a host.toml that names it.
"""

from __future__ import annotations

from pathlib import Path

from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.key_source import KeyLocations

BACKEND = "mailpolicy.sealed.Keyring"


def sealed_file(folder: Path, lock_timeout: float = 10.0) -> SecretsFile:
    """The file in this folder as a process of its own opens it; made, with its key, if it is not there."""
    file = SecretsFile.at(str(folder / "secrets"), KeyLocations(key_file=str(folder / "key")), lock_timeout)
    if not (folder / "secrets").exists():
        file.create()
    return file


def host_config(folder: Path) -> str:
    """What a host.toml says that names the file in this folder."""
    places = f'secrets_file = "{folder / "secrets"}"\nkey_file = "{folder / "key"}"\n'
    return f'keyring_backend = "{BACKEND}"\n{places}'


def options(folder: Path) -> list[str]:
    """The options of a run that uses the file in this folder; writes a host.toml there."""
    path = folder / "host.toml"
    path.write_text(host_config(folder), encoding="utf-8")
    return ["--host-config", str(path)]
