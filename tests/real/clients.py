"""Clients of a mail server: IMAP, POP3 and Dovecot's own protocol, with every mechanism to log in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import imaplib
import poplib
import secrets
import smtplib
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

PATIENCE = 20.0  # seconds for a server to start or to answer


class Attempt(NamedTuple):
    """One try to log in; `user` is the name as it is typed."""

    service: str
    ip: str
    user: str
    password: str


class ImapFrom(imaplib.IMAP4):
    def __init__(self, port: int, source: str) -> None:
        self._from = source
        super().__init__("127.0.0.1", port, timeout=PATIENCE)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._from, 0))


class Pop3From(poplib.POP3):
    def __init__(self, port: int, source: str) -> None:
        self._from = source
        super().__init__("127.0.0.1", port, timeout=PATIENCE)

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._from, 0))


class Auth:
    """Dovecot's authentication protocol, client's side. Source: Dovecot's documentation, Auth Protocol 1.2."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._number = 0
        connection.sendall(f"VERSION\t1\t2\nCPID\t{secrets.randbelow(1 << 30) + 1}\n".encode())
        for line in self._lines:
            if line == b"DONE\n":
                return
        raise ConnectionError("dovecot hung up")

    def ask(self, attempts: Iterable[Attempt], mechanism: str = "PLAIN") -> list[bool]:
        """For each try, in order, whether the mechanism lets in; many are under way at once.

        The mechanism must be one that says everything at once; for those of tokens, the password is the token.
        """
        waiting = list(attempts)
        answers: list[bool] = []
        while part := waiting[len(answers) : len(answers) + 1000]:
            first = self._number + 1
            begun = (self._begin(mechanism, one, _responder(mechanism, one.user, one.password)(b"")) for one in part)
            self._connection.sendall(b"".join(begun))
            found: dict[int, bool] = {}
            while len(found) < len(part):
                kind, number, fields = self._answer()
                if kind == "CONT":  # the reason of a refusal, which is acknowledged
                    self._connection.sendall(b"CONT\t%d\t%s\n" % (number, base64.b64encode(b"\1")))
                    continue
                assert kind in ("OK", "FAIL"), (kind, fields)
                found[number] = kind == "OK" and "nologin" not in fields
            answers += [found[first + position] for position in range(len(part))]
        return answers

    def admitted_within(self, seconds: float, attempts: Sequence[Attempt]) -> list[bool]:
        """For each try, whether PLAIN lets in before the time is over; no answer is a no. The connection is used up."""
        first, deadline = self._number + 1, time.monotonic() + seconds
        begun = (self._begin("PLAIN", one, _responder("PLAIN", one.user, one.password)(b"")) for one in attempts)
        self._connection.sendall(b"".join(begun))
        found: dict[int, bool] = {}
        with suppress(TimeoutError):
            while len(found) < len(attempts) and (left := deadline - time.monotonic()) > 0:
                self._connection.settimeout(left)
                kind, number, fields = self._answer()
                found[number] = kind == "OK" and "nologin" not in fields
        return [found.get(first + position, False) for position in range(len(attempts))]

    def cram_md5(self, attempt: Attempt) -> bool:
        """Whether CRAM-MD5 lets in."""
        self._connection.sendall(self._begin("CRAM-MD5", attempt))
        kind, number, fields = self._answer()
        if kind == "CONT":
            response = base64.b64encode(_cram_md5(base64.b64decode(fields[0]), attempt.user, attempt.password))
            self._connection.sendall(b"CONT\t%d\t%s\n" % (number, response))
            kind, _, fields = self._answer()
        assert kind in ("OK", "FAIL")
        return kind == "OK" and "nologin" not in fields

    def _begin(self, mechanism: str, attempt: Attempt, initial: bytes | None = None) -> bytes:
        self._number += 1
        fields = ["AUTH", str(self._number), mechanism, f"service={attempt.service}", f"rip={attempt.ip}", "no-penalty"]
        if initial is not None:
            fields.append(f"resp={base64.b64encode(initial).decode()}")
        return ("\t".join(fields) + "\n").encode()

    def _answer(self) -> tuple[str, int, list[str]]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("dovecot hung up")
        kind, number, *fields = line.decode().rstrip("\n").split("\t")
        return kind, int(number), fields


def _cram_md5(challenge: bytes, user: str, password: str) -> bytes:
    return f"{user} {hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()}".encode()


class _Scram:
    """A client's answers in SCRAM without channel binding. Source: RFC 5802, 3 and 5."""

    def __init__(self, mechanism: str, user: str, password: str) -> None:
        self._hash = mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        self._password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._first = f"n={name},r={secrets.token_hex(12)}"
        self._proved = False

    def __call__(self, said: bytes) -> bytes:
        if not said:
            return f"n,,{self._first}".encode()
        if self._proved:
            return b""
        self._proved = True
        parts = dict(part.split("=", 1) for part in said.decode().split(","))
        without_proof = f"c=biws,r={parts['r']}"
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, base64.b64decode(parts["s"]), int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", self._hash)
        exchanged = f"{self._first},{said.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(self._hash, key).digest(), exchanged, self._hash)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        return f"{without_proof},p={proof}".encode()


# How a client says its token. Sources: RFC 7628, 3.1; Google's description of XOAUTH2.
_BEARING = {
    "OAUTHBEARER": "n,a={user},\1auth=Bearer {token}\1\1",
    "XOAUTH2": "user={user}\1auth=Bearer {token}\1\1",
}


def _responder(mechanism: str, user: str, password: str) -> Any:
    """What a client says to each of a server's challenges."""
    if mechanism == "PLAIN":
        return lambda said: f"\0{user}\0{password}".encode()
    if mechanism == "LOGIN":
        words = iter((user.encode(), password.encode()))
        return lambda said: next(words)
    if mechanism == "CRAM-MD5":
        return lambda said: _cram_md5(said, user, password)
    if mechanism in _BEARING:  # a server answers a refusal with its reason, which is acknowledged
        first = iter((_BEARING[mechanism].format(user=user, token=password).encode(),))
        return lambda said: next(first, b"\1")
    return _Scram(mechanism, user, password)


def imap_login(connection: imaplib.IMAP4, mechanism: str, user: str, password: str) -> bool:
    assert f"AUTH={mechanism}" in connection.capabilities
    try:
        connection.authenticate(mechanism, _responder(mechanism, user, password))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as refused:
        assert "[AUTHENTICATIONFAILED]" in str(refused) or "[UNAVAILABLE]" in str(refused)
        return False
    return connection.noop()[0] == "OK"


def pop3_login(connection: poplib.POP3, mechanism: str, user: str, password: str) -> bool:
    try:
        if mechanism == "USER":
            connection.user(user)
            connection.pass_(password)
        elif mechanism == "APOP":
            connection.apop(user, password)
        else:
            respond = _responder(mechanism, user, password)
            answer = connection._shortcmd(f"AUTH {mechanism}")  # type: ignore[attr-defined]
            while answer.startswith(b"+ "):
                answer = connection._shortcmd(base64.b64encode(respond(base64.b64decode(answer[2:]))).decode())  # type: ignore[attr-defined]
    except poplib.error_proto as refused:
        assert b"[AUTH]" in refused.args[0]
        return False
    return connection.noop().startswith(b"+OK")


def _encoded(login: str, password: str) -> str:
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def smtp_login(port: int, login: str, password: str, ip: str) -> bool:
    """Return whether a client at that loopback address gets in with AUTH PLAIN."""
    with smtplib.SMTP(
        "127.0.0.1", port, local_hostname="client.test", timeout=PATIENCE, source_address=(ip, 0)
    ) as smtp:
        smtp.ehlo()
        code, said = smtp.docmd("AUTH PLAIN", _encoded(login, password))
        assert code in (235, 535), (code, said)
        return code == 235


def sieve_login(port: int, login: str, password: str, ip: str) -> bool:
    """Return whether a ManageSieve client at that loopback address gets in. Source: RFC 5804, 2.1."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE, (ip, 0)) as connection,
        connection.makefile("rb") as lines,
    ):
        _until_answer(lines)
        connection.sendall(f'AUTHENTICATE "PLAIN" "{_encoded(login, password)}"\r\n'.encode())
        return _until_answer(lines) == b"OK"


def _until_answer(lines: Iterable[bytes]) -> bytes:
    """Return the word that ends an answer of a ManageSieve server."""
    for line in lines:
        if (word := line.split()[0]) in (b"OK", b"NO", b"BYE"):
            return word
    raise ConnectionError("the server hung up")
