"""Sealed files, each side in a process of its own: `make`, `read` and `loop`, with the folder and how many secrets.

`loop` is the peer of `read`: the bare decryption of the same secrets, each sealed alone, in memory before its clock starts.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailpolicy.secrets.credentials import Credentials, KeyringConfig, sealed_file

RUNS = 7


def main(what: str, folder: str, count: int) -> None:
    place = Path(folder)
    choice = KeyringConfig(
        "mailpolicy.sealed.Keyring", secrets_file=str(place / "secrets"), key_file=str(place / "key")
    )
    users = [f"smart-host/user{number}@example.com" for number in range(count)]
    secrets = {user: f"{number:x}-secret-{number:05}" for number, user in enumerate(users)}
    json.dump({"seconds": {"make": make, "read": read, "loop": loop}[what](choice, secrets)}, sys.stdout)


def make(choice: KeyringConfig, secrets: dict[str, str]) -> float:
    file = sealed_file(choice)
    file.create()
    file.change(choice.service, secrets)
    return 0.0


def read(choice: KeyringConfig, secrets: dict[str, str]) -> float:
    keyring = Credentials(choice, sys.exit)
    assert keyring.get(next(iter(secrets)))  # what is imported is imported
    seconds, found = timed(lambda: keyring.get_many(secrets))
    assert found == secrets
    return seconds


def loop(_: KeyringConfig, secrets: dict[str, str]) -> float:
    cipher = AESGCM(os.urandom(32))
    decrypt, sealed = cipher.decrypt, []
    for user, secret in secrets.items():
        nonce, name = os.urandom(12), user.encode()
        sealed.append((nonce, cipher.encrypt(nonce, secret.encode(), name), name))
    seconds, found = timed(lambda: [decrypt(nonce, text, name) for nonce, text, name in sealed])
    assert found == [secret.encode() for secret in secrets.values()]
    return seconds


def timed(action: Callable[[], object]) -> tuple[float, object]:
    """The median of some runs, and what the last one gave."""
    seconds = []
    for _ in range(RUNS):
        begin = perf_counter()
        result = action()
        seconds.append(perf_counter() - begin)
    return median(seconds), result


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
