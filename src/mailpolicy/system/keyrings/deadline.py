"""Run keyring calls one at a time with a timeout: a locked keyring may wait for a user to unlock it.

After one timeout every further call fails at once. A call that was interrupted by a signal ends before the next one
begins; a call that timed out may still take effect later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from mailpolicy.errors import KeyringError, MailpolicyError
from mailpolicy.system.keyrings.choice import translated

Result = TypeVar("Result")


class Calls:
    """Runs the calls of one keyring; `deadline` is the timeout of one answer in seconds."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._stuck: KeyringError | None = None
        self._running: tuple[threading.Lock, threading.Event] | None = None  # of a call interrupted by a signal
        self._answers = 0  # within one call that asks the keyring several times

    def make(self, call: Callable[[], Result]) -> Result:
        """Return the result of the call. Raises KeyringError if it fails, or if it or an earlier call timed out."""
        if self._stuck is not None:
            # A rollback would wait for the same keyring again: one timeout per command is enough.
            raise self._stuck
        box: list[Result] = []
        failure: list[BaseException] = []

        def run() -> None:
            # Whoever gets this lock first decides: the thread runs the call, or an interrupted caller cancels it.
            if not begun.acquire(blocking=False):
                return
            try:
                box.append(call())
            except BaseException as error:  # noqa: BLE001 - backends raise anything, and it must reach the caller's thread
                failure.append(error)
            finally:
                done.set()

        if self._running is not None and not self._running[0].acquire(blocking=False):
            # The interrupted call has begun and may still write: it must not overwrite the result of this one.
            self._wait(self._running[1])
        # In a thread, because a backend may block in C or on D-Bus, out of reach of signals; a daemon, so that the process
        # can end without it. An event instead of join(): Python 3.11 takes a thread for finished after an interrupted join.
        begun, done = self._running = threading.Lock(), threading.Event()
        threading.Thread(target=run, daemon=True).start()
        self._wait(done)
        if failure:
            raise (failure[0] if isinstance(failure[0], MailpolicyError) else translated(failure[0])) from None
        return box[0]

    def answered(self) -> None:
        """Restart the timeout after one of many answers within a call."""
        self._answers += 1

    def _wait(self, done: threading.Event) -> None:
        seen = self._answers
        while not done.wait(self._deadline) and seen != self._answers:
            seen = self._answers
        if not done.is_set():
            self._stuck = KeyringError(
                f"the keyring did not answer within {self._deadline:g} s: unlock it and try again",
                code="keyring-locked",
            )
            raise self._stuck
        self._running = None
