"""Find the keys that redirect a password or a token to another destination."""

from __future__ import annotations

from mailpolicy.policy.changes import Cause
from mailpolicy.policy.model import Policy
from mailpolicy.policy.source import Source


def smart_host_causes(old: Policy, new: Policy) -> list[Cause]:
    """Return the keys of the smart host that redirect passwords."""
    before, after = old.server, new.server
    differs = {"host": before.smart_host != after.smart_host, "port": before.relay_port != after.relay_port}
    return [
        Cause(("server", "smart_host", key), f"smart_host.{key}" in after.written)
        for key, changed in differs.items()
        if changed
    ]


def source_causes(old: Policy, new: Policy, address: str, name: str) -> list[Cause]:
    """Return the keys of a MultiPOP source that redirect its password or token."""
    account = new.accounts[address]
    before, after = old.accounts[address].sources[name], account.sources[name]
    written = {
        "host": True,
        "port": after.port != after.tls.port,
        "login": True,
        "tls": after.tls is not Source._field_defaults["tls"],
    }
    # A default port follows from `tls`, so `tls` alone is the cause.
    implied = before.tls is not after.tls and (before.port, after.port) == (before.tls.port, after.tls.port)
    return [
        Cause(("accounts", account.key, "sources", name, key), is_written)
        for key, is_written in written.items()
        if getattr(before, key) != getattr(after, key) and not (key == "port" and implied)
    ]
