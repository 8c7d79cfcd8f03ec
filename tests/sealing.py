"""A sealed keyring of the tests' own, in a folder: nothing of a desktop is needed.

`keyring = sealed_keyring(tmp_path)` makes the file and its key; `keyring.set_password(...)` fills it, `options(tmp_path)`
are what a run of mailpolicy needs to use it, `host_config` the text of a host.toml that names it.
"""

from __future__ import annotations

from pathlib import Path

from mailpolicy import sealed
from mailpolicy.sealed import keys

BACKEND = "mailpolicy.sealed.Keyring"


def sealed_keyring(folder: Path, lock_timeout: float = 10.0) -> sealed.Keyring:
    """The keyring in this folder, with an empty file and a key where there are none yet."""
    sources = keys.Sources(key_file=str(folder / "key"))
    file = sealed.located(str(folder / "secrets"), sources, lock_timeout)
    file.make()
    return sealed.Keyring(file)


def host_config(folder: Path) -> str:
    """What a host.toml says that names the keyring in this folder."""
    places = f'secrets_file = "{folder / "secrets"}"\nkey_file = "{folder / "key"}"\n'
    return f'keyring_backend = "{BACKEND}"\n{places}'


def options(folder: Path) -> list[str]:
    """The options of a run that uses the keyring in this folder; writes a host.toml there."""
    path = folder / "host.toml"
    path.write_text(host_config(folder), encoding="utf-8")
    return ["--host-config", str(path)]
