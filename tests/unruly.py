"""Keyring backends that misbehave. TEST_UNRULY names a call and what happens in it: `get RuntimeError`, `set hang`, `init chdir`.

The calls are get, set, delete and init; what happens is a function of this module, a text to answer, or an exception to raise.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.backends import Json


class Silent(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("cannot be shown")

    __repr__ = __str__


class Beyond(BaseException):
    """No exception that anybody expects."""


LOUD = type("Loud\n\x1b[31m\u202e::error::Mistake", (Exception,), {})


def raising(kind: type[BaseException]) -> Callable[[str], object]:
    def happen(secret: str) -> object:
        raise kind(f"the secret is {secret}\nmailpolicy: it is {secret}")

    return happen


def encoded(secret: str) -> object:
    return secret.encode() + b"\xff"


def recurse(secret: str) -> object:
    return recurse(secret) or secret


def chain(secret: str) -> object:
    try:
        raising(ValueError)(secret)
    except ValueError as error:
        raise OSError(28, f"no space for {secret}", secret) from error
    return None


def program(secret: str) -> object:
    raise subprocess.CalledProcessError(1, ["pass", secret], secret, secret)


def hang(_secret: str) -> object:
    return threading.Event().wait()


def spin(_secret: str) -> object:
    while True:
        pass


def sleep(_secret: str) -> object:
    return subprocess.run(["sleep", "1000"], check=False)


def ask(_secret: str) -> object:
    return input("Password of the keyring: ")


def prompt(_secret: str) -> object:
    with open("/dev/tty") as terminal:
        return terminal.readline()


# What nothing shows of, whatever a keyring does besides its work.


def say(secret: str) -> None:
    print(f"the keyring says {len(secret)}")


def program_says(_secret: str) -> None:
    subprocess.run(["echo", "the keyring says"], check=True)


def warn(secret: str) -> None:
    warnings.warn(f"the secret is {secret}", stacklevel=1)


def record(secret: str) -> None:
    logging.getLogger("keyring").critical("the secret is %s", secret)
    logging.basicConfig(level=logging.DEBUG)
    logging.critical("the secret is %s", secret)


def thread(secret: str) -> None:
    began = threading.Thread(target=raising(ValueError), args=(secret,))
    began.start()
    began.join()


def abandoned(secret: str) -> None:
    """An object whose end fails."""

    class Ending:
        def __del__(self) -> None:
            raising(ValueError)(secret)

    Ending()
    gc.collect()


def waiting(_secret: str) -> None:
    """A thread that keeps a process from ending."""
    threading.Thread(target=threading.Event().wait, daemon=False).start()


def pool(_secret: str) -> None:
    """Threads that Python waits for although they are daemons."""
    ThreadPoolExecutor(1).submit(threading.Event().wait)


def leaving(secret: str) -> None:
    """Fails when the process ends."""
    atexit.register(raising(ValueError), secret)


def child(_secret: str) -> None:
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)


def chdir(_secret: str) -> None:
    os.chdir("/")


def forget(_secret: str) -> None:
    kept = {name: os.environ[name] for name in os.environ if name.startswith("TEST_")}
    os.environ.clear()
    os.environ.update(kept)


def mask(_secret: str) -> None:
    os.umask(0)


def close(_secret: str) -> None:
    sys.stdout.close()


def blind(_secret: str) -> None:
    sys.stdout = sys.stderr = None


def tinker(_secret: str) -> None:
    threading.setprofile(lambda *_event: None)
    sys.setswitchinterval(0.5)
    gc.disable()


FAILURES: dict[str, Callable[[str], object]] = {
    kind.__name__: raising(kind)
    for kind in (
        *(RuntimeError, ValueError, KeyError, OSError, BrokenPipeError, MemoryError, StopIteration, RecursionError),
        *(EOFError, NotImplementedError, SystemExit, KeyboardInterrupt, GeneratorExit, Silent, Beyond),
    )
} | {"Loud": raising(LOUD), "recurse": recurse, "chain": chain, "program": program, "ask": ask, "prompt": prompt}
HANGS = {"hang": hang, "sleep": sleep, "spin": spin}
ANSWERS: dict[str, Callable[[str], object]] = {
    "bytes": encoded,
    "number": lambda _secret: 42,
    "true": lambda _secret: True,
    "list": lambda secret: [secret],
    "class": lambda _secret: Json,
    "surrogate": lambda secret: f"{secret}\udcff",
}
ASIDES = {
    act.__name__: act
    for act in (
        say,
        program_says,
        warn,
        record,
        thread,
        abandoned,
        waiting,
        pool,
        leaving,
        child,
        chdir,
        forget,
        mask,
    )
} | {"close": close, "blind": blind, "tinker": tinker}


class Unruly(Json):
    """Does what TEST_UNRULY says, the first time in the call that it names."""

    _done = False

    def __init__(self) -> None:
        super().__init__()
        self._act("init", "")

    def _act(self, call: str, secret: str) -> object:
        wanted, _, what = os.environ["TEST_UNRULY"].partition(" ")
        if wanted != call or Unruly._done:
            return None
        if what in ASIDES:
            Unruly._done = True
            ASIDES[what](secret)
            return None
        return ({**FAILURES, **HANGS, **ANSWERS})[what](secret)

    def get_password(self, service: str, username: str) -> str | None:
        secret = super().get_password(service, username)
        answer: Any = self._act("get", secret or "")
        return secret if answer is None or secret is None else answer

    def set_password(self, service: str, username: str, password: str) -> None:
        self._act("set", password)
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._act("delete", "".join(self._services()[service].values()))
        super().delete_password(service, username)


class NoBackend:
    """Has what a backend has, and is none."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise AssertionError((service, username))


class Abstract(Json):
    """Cannot be made."""

    def __init__(self, wanted: object) -> None:
        raise AssertionError(wanted)
