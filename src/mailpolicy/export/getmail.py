"""A getmailrc, which holds one MultiPOP source; its password or token comes from a command.

The certificate is verified. getmail has no STARTTLS for POP3, and strips white space from the ends of a password, so
such a login fails. Over POP3 it knows XOAUTH2 from 6.19.04 on, and Microsoft's form of it from 6.19.11 on; before, it
ignores the option with a warning and sends the token as a password. Source: getmail6's documentation, configuration
and CHANGELOG; seen on 6.18.11 and 6.20.2.
"""

from __future__ import annotations

from mailpolicy.errors import NotFound, UsageError
from mailpolicy.export.collectors import PolledSource, polled_sources
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.policy.model import Policy
from mailpolicy.policy.source import Auth, Tls

_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # where Debian keeps them

_VERSION_NOTE = ("note: getmail logs in with a token from version 6.19.04 on, at Microsoft from 6.19.11 on",)


def export(request: Request) -> Exported:
    """Return the getmailrc of the requested source, or of the only one."""
    sources, wanted = polled_sources(request.policy), request.options.source
    if (
        wanted is not None
        and _exists(request.policy, *wanted)
        and wanted not in [(polled.address, polled.name) for polled in sources]
    ):
        return Exported("", (f"note: {'/'.join(wanted)} is not polled, so nothing is collected",))
    polled = _chosen(sources, wanted)
    source = polled.source
    if source.tls is Tls.STARTTLS:
        raise CannotCarry([f"getmail has no STARTTLS for POP3, which {polled} uses: use fetchmail or mpop"])
    if source.auth is Auth.OAUTHBEARER:
        raise CannotCarry([f"getmail has no OAUTHBEARER, which {polled} uses: use mpop, or xoauth2"])
    secure = source.tls is Tls.IMPLICIT
    password = (*request.command, "multipop", "source", "print-password", polled.address, polled.name)
    lines = [
        "[retriever]",
        f"type = {'SimplePOP3SSLRetriever' if secure else 'SimplePOP3Retriever'}",
        f"server = {source.host}",
        f"port = {source.port}",
        f"username = {source.login}",
        f"password_command = {password!a}",
    ]
    if source.auth is Auth.XOAUTH2:
        lines.append("use_xoauth2 = true")
    if secure:
        lines += [f"ca_certs = {_CERTIFICATES}", f"ssl_cert_hostname = {source.host}"]
    lines += [
        "",
        "[destination]",
        "type = MDA_external",
        "path = /usr/sbin/sendmail",
        f"arguments = {('-i', '-f', '%(sender)', '--', polled.address)!a}",
        "",
        "[options]",
        "read_all = false",
        f"delete = {'false' if source.keep else 'true'}",
    ]
    if source.delete_after_days is not None:
        lines.append(f"delete_after = {source.delete_after_days}")
    if source.max_size_kb is not None:
        lines.append(f"max_message_size = {source.max_size_kb * 1024}")
    return Exported("\n".join(lines) + "\n", _VERSION_NOTE if source.auth is Auth.XOAUTH2 else ())


def _exists(policy: Policy, address: str, name: str) -> bool:
    account = policy.accounts.get(address)
    return account is not None and name in account.sources


def _chosen(sources: list[PolledSource], wanted: tuple[str, str] | None) -> PolledSource:
    if wanted is None:
        if len(sources) == 1:
            return sources[0]
        listed = ", ".join(map(str, sources[:20])) or "none is polled"
        raise UsageError(f"a getmailrc holds one source; choose it with --source ADDRESS/NAME: {listed}")
    for polled in sources:
        if (polled.address, polled.name) == wanted:
            return polled
    raise NotFound(
        f"no source {'/'.join(wanted)}",
        code="no-such-source",
        fix=("mailpolicy", "multipop", "source", "list"),
    )
