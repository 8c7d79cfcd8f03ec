"""Run keyring calls one at a time with a timeout: a locked keyring may wait for a user to unlock it.

After one timeout every further call fails at once. A call that was interrupted by a signal ends before the next one
begins; a call that timed out may still take effect later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from mailpolicy.errors import KeyringError, MailpolicyError
from mailpolicy.system.keyrings.choice import translate_error
from mailpolicy.system.keyrings.isolation import isolated

Result = TypeVar("Result")
THREAD_NAME = "keyring call"


class TimedCalls:
    """Runs the calls of one keyring; `timeout` is the timeout of one answer in seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._timeout_error: KeyringError | None = None
        self._unfinished: tuple[threading.Lock, threading.Event] | None = None  # a call that a signal interrupted
        self._answers = 0  # within one call that asks the keyring several times

    def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of the call. Raises KeyringError if it fails, or if it or an earlier call timed out."""
        if self._timeout_error is not None:
            # A rollback would wait for the same keyring again: one timeout per command is enough.
            raise self._timeout_error
        results: list[Result] = []
        failure: list[BaseException] = []

        def guarded() -> None:
            # Whoever gets this lock first decides: the thread runs the call, or an interrupted caller cancels it.
            if not started.acquire(blocking=False):
                return
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - backends raise anything, and it must reach the caller's thread
                failure.append(error)
            finally:
                finished.set()

        if self._unfinished is not None and not self._unfinished[0].acquire(blocking=False):
            # The interrupted call has begun and may still write: it must not overwrite the result of this one.
            self._wait(self._unfinished[1])
        # In a thread, because a backend may block in C or on D-Bus, out of reach of signals; a daemon, so that the process
        # can end without it. An event instead of join(): Python 3.11 takes a thread for finished after an interrupted join.
        started, finished = self._unfinished = threading.Lock(), threading.Event()
        with isolated():
            threading.Thread(target=guarded, name=THREAD_NAME, daemon=True).start()
            self._wait(finished)
        if failure:
            raise (failure[0] if isinstance(failure[0], MailpolicyError) else translate_error(failure[0])) from None
        return results[0]

    def restart_timeout(self) -> None:
        """Restart the timeout after one of many answers within a call."""
        self._answers += 1

    def _wait(self, finished: threading.Event) -> None:
        seen = self._answers
        while not finished.wait(self._timeout) and seen != self._answers:
            seen = self._answers
        if not finished.is_set():
            self._timeout_error = KeyringError(
                f"the keyring did not answer within {self._timeout:g} s: unlock it and try again",
                code="keyring-locked",
            )
            raise self._timeout_error
        self._unfinished = None
