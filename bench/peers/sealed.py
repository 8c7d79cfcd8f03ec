"""Sealed files, each side in a process of its own: `make`, `read`, `loop` and `set`, with the folder and how many secrets.

`loop` is the peer of `read`: the bare decryption of the same entries, taken apart and in memory before its clock starts.
`set` counts no time in fsync, and is a mean: a large file is made anew once in a while.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from mailpolicy.bindings import smart_host_secret
from mailpolicy.credentials import Choice, Credentials
from mailpolicy.policy import Server
from mailpolicy.sealed import Keyring, keys, located
from mailpolicy.sealed.block import taken_apart
from mailpolicy.sealed.cipher import Key
from mailpolicy.sealed.content import Opened
from mailpolicy.sealed.front import HEADER_SIZE, header

SERVICE = "mailpolicy"
SETS = 60


def main(what: str, folder: str, count: int) -> None:
    place, server = Path(folder), Server(smart_host="smtp.relay.example")
    users = [smart_host_secret(server, f"user{number}@example.com").user for number in range(count)]
    secrets = {user: f"{number:x}-secret-{number:05}" for number, user in enumerate(users)}
    json.dump({"seconds": {"make": make, "read": read, "loop": loop, "set": change}[what](place, secrets)}, sys.stdout)


def make(place: Path, secrets: dict[str, str]) -> float:
    file = located(str(place / "secrets"), keys.Sources(key_file=str(place / "key")))
    file.make()
    file.change(SERVICE, secrets)
    return 0.0


def read(place: Path, secrets: dict[str, str]) -> float:
    choice = Choice("mailpolicy.sealed.Keyring", secrets_file=str(place / "secrets"), key_file=str(place / "key"))
    vault = Credentials(choice, sys.exit)
    assert vault.get(next(iter(secrets)))  # what is imported is imported
    seconds, found = timed(lambda: vault.several(secrets))
    assert found == secrets
    return seconds


def loop(place: Path, secrets: dict[str, str]) -> float:
    key = Key((place / "key").read_bytes())
    with open(place / "secrets", "rb") as file:
        opened = Opened(file, key, header(file.read(HEADER_SIZE)))
        parts = [taken_apart(opened.block(number), opened.index[number].names) for number in opened.live]
    decrypt = key.entries.decrypt
    sealed = [
        (blob[:12], blob[12:], field) for part in parts for field, blob in zip(part.fields, part.blobs(), strict=True)
    ]
    seconds, found = timed(lambda: [decrypt(nonce, text, field) for nonce, text, field in sealed])
    assert sorted(found) == sorted(secret.encode() for secret in secrets.values())
    return seconds


def timed(action: Callable[[], object]) -> tuple[float, object]:
    """The median of some runs, and what the last one gave."""
    seconds = []
    for _ in range(7):
        begin = perf_counter()
        result = action()
        seconds.append(perf_counter() - begin)
    return median(seconds), result


def change(place: Path, secrets: dict[str, str]) -> float:
    keyring = Keyring(located(str(place / "secrets"), keys.Sources(key_file=str(place / "key"))))
    fsync, synced = os.fsync, 0.0

    def counted(descriptor: int) -> None:
        nonlocal synced
        begin = perf_counter()
        fsync(descriptor)
        synced += perf_counter() - begin

    os.fsync = counted
    user = list(secrets)[len(secrets) // 2]
    keyring.set_password(SERVICE, user, "one before the clock starts")
    before, begin = synced, perf_counter()
    for number in range(SETS):
        keyring.set_password(SERVICE, user, f"the new one, number {number}")
    seconds = perf_counter() - begin - (synced - before)
    keyring.set_password(SERVICE, user, secrets[user])
    return seconds / SETS


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
