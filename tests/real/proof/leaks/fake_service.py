"""A Secret Service that does what it should not, on a bus of the tests' own."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from tests.real.proof.leaks.site import USERS

# It is silent from the first call or from the first secret on, fails, answers something else, prompts, or has no text.
WAYS = ("silent", "silent later", "error", "other types", "prompt", "gone", "bytes", "dismissed")
_COLLECTION, _PROMPT, _SESSION = (f"/org/freedesktop/secrets/{name}" for name in ("collection/a", "prompt", "s"))
_ITEMS = {f"/org/freedesktop/secrets/a/{number}": user for number, user in enumerate(USERS)}


class FakeService:
    """The service in a thread; `secret` is in everything that it says."""

    def __init__(self, address: str, way: str, secret: str) -> None:
        self._way = way
        self._secret = secret
        self._connection: DBusConnection = open_dbus_connection(bus=address)
        self._connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                call = self._connection.receive(timeout=0.1)
            except TimeoutError:
                continue
            if call.header.message_type is MessageType.method_call:
                answer = self._answer(call)
                if answer is not None:
                    self._connection.send(answer)
                if self._way == "gone":
                    return

    def _answer(self, call: Message) -> Message | None:
        method = call.header.fields[HeaderFields.member]
        match self._way:
            case "silent" | "gone":
                return None
            case "error":
                text = f"the secret is {self._secret}\n\x1b[31mmailpolicy: {self._secret}"
                return new_error(call, "org.freedesktop.Secret.Error.Mine", "s", (text,))
            case "other types":
                return new_method_return(call, "s", (self._secret,))
            case "silent later" if method in ("SearchItems", "GetSecret", "CreateItem"):
                return None
        signature, body = self._usual(method, call.header.fields[HeaderFields.path], call.body)
        return new_method_return(call, signature, body)

    def _usual(self, method: str, path: str, arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """Return what a service would say; it is locked if the way is about a prompt."""
        locked = self._way in ("prompt", "dismissed")
        match method:
            case "OpenSession":
                return "vo", (("s", ""), _SESSION)
            case "ReadAlias":
                return "o", (_COLLECTION,)
            case "Get":
                name = arguments[1]
                attributes = {"username": _ITEMS.get(path, ""), "service": "mailpolicy"}
                values = {"Locked": ("b", locked), "Attributes": ("a{ss}", attributes)}
                return "v", (values.get(name, ("s", self._secret)),)
            case "Unlock":
                return "aoo", ([], _PROMPT) if locked else (arguments[0], "/")
            case "SearchItems":
                return "ao", (list(_ITEMS),)
            case "GetSecret":
                return "(oayays)", ((_SESSION, b"", self._secret.encode() + b"\xff", "text/plain"),)
            case "CreateItem":
                return "oo", (next(iter(_ITEMS)), "/")
            case "Delete":
                return "o", ("/",)
        return "", ()
