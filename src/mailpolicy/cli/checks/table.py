"""The checks of doctor in their order, and the checks that each requires."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailpolicy.cli.checks.commit import check_commit
from mailpolicy.cli.checks.dates import check_dates
from mailpolicy.cli.checks.exports import check_dovecot, check_exports
from mailpolicy.cli.checks.result import CheckInput, CheckResult
from mailpolicy.cli.checks.secrets import check_keyring, check_pending_changes, check_sealed_file, check_secrets
from mailpolicy.cli.checks.store import check_cases, check_clients, check_host_config, check_permissions, check_store
from mailpolicy.cli.checks.tokens import check_tokens

Check = Callable[[CheckInput], Iterator[CheckResult]]
CHECKS: dict[str, Check] = {
    "store": check_store,
    "permissions": check_permissions,
    "host.toml": check_host_config,
    "commit": check_commit,
    "cases": check_cases,
    "keyring": check_keyring,
    "sealed file": check_sealed_file,
    "secrets": check_secrets,
    "tokens": check_tokens,
    "unfinished": check_pending_changes,
    "exports": check_exports,
    "dates": check_dates,
    "dovecot": check_dovecot,
    "clients": check_clients,
}
# By check, the checks that must succeed first, with the reason to show if they did not.
_STORE, _HOST_TOML = ("store", "the store cannot be read"), ("host.toml", "host.toml cannot be read")
REQUIRES = {
    "commit": (_STORE, _HOST_TOML),
    "cases": (_STORE, _HOST_TOML),
    "keyring": (_HOST_TOML,),
    "sealed file": (_HOST_TOML,),
    "secrets": (
        _STORE,
        _HOST_TOML,
        ("keyring", "the keyring cannot be used"),
        ("sealed file", "the sealed file cannot be opened"),
    ),
    "tokens": (_STORE, _HOST_TOML),
    "exports": (_STORE, _HOST_TOML),
    "dovecot": (_HOST_TOML,),
    "clients": (_STORE,),
}
