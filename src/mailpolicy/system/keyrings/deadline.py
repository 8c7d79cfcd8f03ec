"""Calls of a keyring, one at a time, each with a deadline: a locked one waits for somebody who may not be there.

Promises: no wait beyond the deadline, and after it no second one; a call that a signal has cut short ends before the next
begins; foreign exceptions become ours without their texts. Not promised: that a call which was given up is not done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from mailpolicy.errors import KeyringError, MailpolicyError
from mailpolicy.system.keyrings.choice import translated

Result = TypeVar("Result")


class Calls:
    """The calls of one keyring; `deadline` is in seconds, for one answer."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._stuck: KeyringError | None = None
        self._running: tuple[threading.Lock, threading.Event] | None = None  # of the call that a signal cut short
        self._answers = 0  # of a keyring that is asked many times in one call

    def make(self, call: Callable[[], Result]) -> Result:
        """What the call gives. Raises KeyringError where it fails or takes too long, or one before it did."""
        if self._stuck is not None:
            raise self._stuck  # one deadline for the whole command, also when it puts things back
        box: list[Result] = []
        failure: list[BaseException] = []

        def run() -> None:
            if not begun.acquire(blocking=False):  # it was given up before it began
                return
            try:
                box.append(call())
            except BaseException as error:  # noqa: BLE001 - backends raise what they like, and here it crosses a thread
                failure.append(error)
            finally:
                done.set()

        if self._running is not None and not self._running[0].acquire(blocking=False):
            self._wait(self._running[1])  # what was cut short may still be done, and would undo what comes now
        # A thread, as a backend may wait in C or on D-Bus where no signal is seen; it ends with the process.
        # An event tells its end, as a thread whose join() was interrupted by a signal is taken for ended by Python 3.11.
        begun, done = self._running = threading.Lock(), threading.Event()
        threading.Thread(target=run, daemon=True).start()
        self._wait(done)
        if failure:
            raise (failure[0] if isinstance(failure[0], MailpolicyError) else translated(failure[0])) from None
        return box[0]

    def answered(self) -> None:
        """Note that the keyring answered one of many questions in one call, so the deadline begins anew."""
        self._answers += 1

    def _wait(self, done: threading.Event) -> None:
        seen = self._answers
        while not done.wait(self._deadline) and seen != self._answers:
            seen = self._answers
        if not done.is_set():
            self._stuck = KeyringError(
                f"the keyring did not answer within {self._deadline:g} s: it is locked, or waits for somebody to unlock it",
                code="keyring-locked",
            )
            raise self._stuck
        self._running = None
