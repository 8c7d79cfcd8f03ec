"""A getmailrc, which holds one MultiPOP source; its password comes from a command.

Promises: no secret in the file; the certificate is verified. Not promised: STARTTLS, which getmail does not have for
POP3; a password with white space at an end, which getmail takes off, so that the login fails. Source: getmail6's
documentation, configuration.
"""

from __future__ import annotations

from mailpolicy.errors import NotFound, UsageError
from mailpolicy.export.collectors import Polled, polled
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.policy.model import Policy, Tls

_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # where Debian keeps them


def export(request: Request) -> Exported:
    """The getmailrc of the source that is asked for, or of the only one."""
    found, wanted = polled(request.policy), request.options.source
    if (
        wanted is not None
        and _there(request.policy, *wanted)
        and wanted not in [(one.address, one.name) for one in found]
    ):
        return Exported("", (f"note: {'/'.join(wanted)} is not polled, so there is nothing to collect",))
    one = _chosen(found, wanted)
    source = one.source
    if source.tls is Tls.STARTTLS:
        raise CannotCarry([f"getmail has no STARTTLS for POP3, which {one} asks for: use fetchmail or mpop for it"])
    secure = source.tls is Tls.IMPLICIT
    password = (*request.command, "multipop", "source", "print-password", one.address, one.name)
    lines = [
        "[retriever]",
        f"type = {'SimplePOP3SSLRetriever' if secure else 'SimplePOP3Retriever'}",
        f"server = {source.host}",
        f"port = {source.port}",
        f"username = {source.login}",
        f"password_command = {password!a}",
    ]
    if secure:
        lines += [f"ca_certs = {_CERTIFICATES}", f"ssl_cert_hostname = {source.host}"]
    lines += [
        "",
        "[destination]",
        "type = MDA_external",
        "path = /usr/sbin/sendmail",
        f"arguments = {('-i', '-f', '%(sender)', '--', one.address)!a}",
        "",
        "[options]",
        "read_all = false",
        f"delete = {'false' if source.keep else 'true'}",
    ]
    if source.delete_after_days is not None:
        lines.append(f"delete_after = {source.delete_after_days}")
    if source.max_size_kb is not None:
        lines.append(f"max_message_size = {source.max_size_kb * 1024}")
    return Exported("\n".join(lines) + "\n")


def _there(policy: Policy, address: str, name: str) -> bool:
    account = policy.accounts.get(address)
    return account is not None and name in account.sources


def _chosen(found: list[Polled], wanted: tuple[str, str] | None) -> Polled:
    if wanted is None:
        if len(found) == 1:
            return found[0]
        listed = ", ".join(str(one) for one in found[:20]) or "none is polled"
        raise UsageError(f"a getmailrc holds one source, name it with --source ADDRESS/NAME: {listed}")
    for one in found:
        if (one.address, one.name) == wanted:
            return one
    raise NotFound(
        f"no source {'/'.join(wanted)} is polled",
        code="no-such-source",
        fix=("mailpolicy", "multipop", "source", "list"),
    )
