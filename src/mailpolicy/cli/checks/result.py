"""The result of a check of doctor, and the input of the checks."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import keyring_config
from mailpolicy.errors import Command, MailpolicyError, StoreError
from mailpolicy.policy import bindings
from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from mailpolicy.store.store import Store
from mailpolicy.system.trust import ROOT_ONLY, Trusted

OK, WARNING, ERROR, SKIPPED = "ok", "warning", "error", "skipped"


class CheckResult(NamedTuple):
    """The result of a check, with the command that fixes it, or two to run one after the other."""

    state: str
    message: str
    fix: Command | None = None
    then: Command | None = None
    step: str | None = None  # the manual step, if no command fixes it

    @property
    def fixes(self) -> list[Command]:
        """Return the commands in the order in which to run them."""
        return [command for command in (self.fix, self.then) if command is not None]


class CheckInput:
    """The input of the checks, each part read when it is first used."""

    def __init__(self, out: Output, log: str | None) -> None:
        self.out = out
        self.log = log

    @cached_property
    def store(self) -> Store:
        """Read the store. Raises StoreError."""
        return Store.read(self.out.context.file)

    @cached_property
    def trusted(self) -> Trusted:
        """Return whom root trusts with the store; only root if host.toml is invalid, which has a check of its own."""
        try:
            return self.out.trusted
        except MailpolicyError:
            return ROOT_ONLY

    @cached_property
    def keyring_config(self) -> KeyringConfig:
        """Return the configuration of the keyring. Raises StoreError and Refused."""
        return keyring_config(self.out)

    @cached_property
    def keyring(self) -> Credentials:
        """The keyring. Raises StoreError and Refused."""
        return Credentials(self.keyring_config, lambda warning: None)

    @cached_property
    def users(self) -> list[str] | None:
        """Return the user names of the secrets that the store names, None if the store cannot be read."""
        try:
            return [secret.user for secret in bindings.named_secrets(self.store.policy())]
        except StoreError:
            return None
