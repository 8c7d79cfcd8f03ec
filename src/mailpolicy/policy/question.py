"""Parse a question: may this account use this service from this address?"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.errors import Command, UsageError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import NameRejected, account_address, joined, printable
from mailpolicy.policy.networks import AddressRejected, packed_address
from mailpolicy.policy.service import BY_NAME, Service

_WEB = ("webmail", "worldclient", "http", "https")


class Question(NamedTuple):
    """A well-formed question. `ip` is the text that was given, or None; `packed` is its packed form."""

    address: str
    service: Service
    ip: str | None
    packed: bytes | None


class QuestionRejected(UsageError):
    """A malformed question; `reason` is the message without the given text, which may hold a password."""

    def __init__(self, message: str, reason: str | None = None, *, fix: Command | None = None) -> None:
        super().__init__(message, fix=fix)
        self.reason = reason or message


def service_named(text: str) -> Service:
    """Return the service that a protocol name or alias stands for, or raise QuestionRejected."""
    service = BY_NAME.get(text) or BY_NAME.get(text.lower())
    if service is not None:
        return service
    if text.lower() in _WEB:
        raise QuestionRejected(
            f"{text} is governed by the Web Services page, not by Mail Services; mailpolicy gives no verdict on it"
        )
    if text.lower() == "activesync":
        raise QuestionRejected(f"{text} is not governed by mailpolicy, which gives no verdict on it")
    known = f"choose {joined(Service, 'or')}"
    raise QuestionRejected(f"unknown protocol '{printable(text[:60])}': {known}", f"unknown protocol: {known}")


class NotGoverned(QuestionRejected):
    """A question about a service that the store does not decide about."""

    about_store = True


def require_governed(policy: Policy, service: Service) -> None:
    """Raise NotGoverned for a service that the store does not decide about."""
    if not policy.governs(service):
        message = f"{service} is not governed by the store, so there is no verdict on it"
        raise NotGoverned(message, fix=("mailpolicy", "server", "govern", str(service)))


def question(address: str, protocol: str, ip: str | None) -> Question:
    """Return the question, or raise QuestionRejected if a part is malformed or missing."""
    normalised = question_address(address)
    service = service_named(protocol)
    if ip is None:
        if not service.facts.connects_out:
            raise QuestionRejected("missing IP address", fix=("mailpolicy", "check", normalised, str(service), "IP"))
        return Question(normalised, service, None, None)
    try:
        return Question(normalised, service, ip, packed_address(ip))
    except AddressRejected as error:
        raise QuestionRejected(str(error), error.reason) from None


def question_address(text: str) -> str:
    """Return the normalised address of an account, or raise QuestionRejected."""
    try:
        return account_address(text)
    except NameRejected as error:
        raise QuestionRejected(str(error), "not an address") from None
