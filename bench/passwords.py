"""The promises about the sealed file: as fast as decrypting, and one password costs the same among many.

Promises: as in `bars`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import stores
from bars import FEW, GREAT_MANY, MANY, require, stored
from table import Bar, milliseconds, spaced
from timing import mailpolicy, script, told, turns, whole


def secrets(folder: Path) -> list[Bar]:
    """All secrets out of a sealed file, against decrypting them one by one."""
    rows = []
    for count, limit, rounds in ((MANY, 1.2, 25), (GREAT_MANY, None, 9)):
        place = sealed(folder, count)
        taken = turns(
            rounds,
            partial(_told_seconds, "read", place, count),
            partial(_told_seconds, "loop", place, count),
        )
        what = f"{spaced(count)} secrets out of the sealed file"
        peer = "bare loop of `AESGCM.decrypt` over the same secrets"
        rows.append(Bar(what, limit, True, [(ours, loop) for ours, loop in taken], peer, milliseconds))
    return rows


def secret_set(folder: Path) -> list[Bar]:
    """One password set among many, against the same among few."""
    store, address = stored(folder, FEW), stores.addresses(FEW)[0]
    passwords = [folder / "one", folder / "two"]
    for path in passwords:
        path.write_text(f"the password {path.name}", encoding="utf-8")
    whole_set = ("smart-host", "set", address, "--file", store, "--login", "relay")

    def side(count: int) -> Callable[[], float]:
        place, turn = sealed(folder, count), iter(passwords * 1000)

        def change() -> float:
            before = (place / "secrets").read_bytes()
            seconds = mailpolicy(*whole_set, "--host-config", place / "host.toml", "--password-file", next(turn))
            require((place / "secrets").read_bytes() != before, "nothing was set")
            return seconds

        return change

    few = side(FEW)
    rows = []
    for count, limit, rounds in ((1_000, 1.1, 60), (MANY, None, 25), (GREAT_MANY, None, 9)):
        taken = turns(rounds, side(count), few)
        what = f"`smart-host set` among {spaced(count)} secrets"
        rows.append(Bar(what, limit, True, [(ours, less) for ours, less in taken], f"among {FEW}", milliseconds))
    return rows


def secret_get(folder: Path) -> list[Bar]:
    """One password out of a sealed file, against a Typer application that does nothing."""
    place, store = sealed(folder, FEW), folder / "accounts.toml"
    store.write_text(
        'version = 1\n[server]\nedition = "pro"\nmultipop = true\n[accounts."a@example.com"]\nmultipop = true\n'
        '[accounts."a@example.com".sources.p]\nhost = "pop.example.net"\nlogin = "a"\n',
        encoding="utf-8",
    )
    password, printed = folder / "password", folder / "printed"
    password.write_text("the password", encoding="utf-8")
    which = ("a@example.com", "p", "--file", store, "--host-config", place / "host.toml")
    mailpolicy("multipop", "source", "set-password", *which, "--password-file", password)
    taken = turns(
        80,
        lambda: mailpolicy("multipop", "source", "print-password", *which, output=printed),
        lambda: whole(script("trivial", "someone")),
    )
    require(printed.read_text(encoding="utf-8") == "the password\n", "another password was printed")
    what, peer = "`multipop source print-password`, sealed file", "trivial Typer application of one command"
    return [Bar(what, 1.6, True, [(ours, theirs) for ours, theirs in taken], peer, milliseconds)]


def sealed(folder: Path, secrets: int) -> Path:
    """A folder with a sealed file of that many secrets, its key, and the host.toml that names them."""
    place = folder / f"sealed-{secrets}"
    place.mkdir(mode=0o700)
    told("sealed", "make", place, str(secrets))
    settings = {
        "keyring_backend": "mailpolicy.sealed.Keyring",
        "secrets_file": place / "secrets",
        "key_file": place / "key",
    }
    lines = (f'{key} = "{value}"\n' for key, value in settings.items())
    (place / "host.toml").write_text("".join(lines), encoding="utf-8")
    return place


def _told_seconds(way: str, place: Path, count: int) -> float:
    return float(told("sealed", way, place, str(count))["seconds"])


ALL = {
    "secrets": secrets,
    "secret_set": secret_set,
    "secret_get": secret_get,
}
