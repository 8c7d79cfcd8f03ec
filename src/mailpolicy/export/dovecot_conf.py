"""Dovecot's side of the passwd-file: for each protocol passdbs that are asked before the site's own.

Promises: the site's passdb still decides on the password; what the policy does not list is refused; other services are
untouched unless they are locked. Not promised: mechanisms that ask no passdb (ANONYMOUS); with Dovecot 2.4, that the
site's passdbs add fields to a login by token or ticket.
Source: seen on Dovecot 2.3.19, 2.4.1 and 2.4.5. `nopassword` stands here, where the next passdb does not see it, and never
`noauthenticate`, under which allow_nets is ignored; `continue-fail`, as plain `continue` would accept any password.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from mailpolicy.export import dovecot
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.policy.names import unicode_address

# Dovecot's default, and what an account's address may have besides.
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@+=~'&"
_MIB = 1 << 20
# Expands to nothing. Dovecot keeps answering from what it has read when a file with a fixed name is gone, all but the first
# question of each second; a file whose name has a variable is forgotten.
_FORGETS = {"2.3": "%{if;1;eq;1;;}", "2.4": "%{protocol | substr(0, 0)}"}
# What becomes of a login that the file lists, does not list, or cannot answer.
_RESULTS = {
    "allow-list": ("continue-fail", "return-fail", "return-fail"),
    "deny-list": ("return-fail", "continue", "return-fail"),
}
# Mechanisms that have verified the user themselves before they ask a passdb. Since Dovecot 2.4.2 they take "unknown user"
# for consent, and nothing but "user disabled", the answer of a passdb with `deny`, for a refusal.
_VERIFIED = "gssapi gss-spnego oauthbearer xoauth2"


def export(request: Request) -> Exported:
    """The snippet."""
    options = request.options
    path = options.data or ""
    if not path.startswith("/") or any(character.isspace() or character in "%\"'#\\$" for character in path):
        raise CannotCarry([f"--data {path!a} is no path that Dovecot can be told: absolute, no white space or quote"])
    forgets = _FORGETS[options.dovecot]
    if options.strategy == "allow-list":
        path += forgets
    block = _block_23 if options.dovecot == "2.3" else _block_24
    services = (*dovecot.SERVICES, *options.lock)
    blocks = [block(service, path, options.default_domain, options.strategy) for service in services]
    allowed = f"{_CHARACTERS}{_letters(request)}"
    parts = [
        f"# a site that allows more says so in a file that is read after this one\nauth_username_chars = {allowed}\n"
    ]
    if path.endswith(forgets):
        parts.append(f"# {forgets} is nothing, but with it Dovecot lets nobody in when the file is gone\n")
    if options.dovecot != "2.3":
        parts.append(
            "# the first passdbs are for tokens and tickets: Dovecot lets in their bearers unless one denies\n"
        )
    parts += blocks
    size = len(dovecot.export(request).body.encode("utf-8"))
    if size > dovecot.MANY:
        limit = max(1024, 256 * math.ceil(8 * size / _MIB / 256))
        parts.append(f"service auth {{\n  vsz_limit = {limit}M\n}}\n")
    return Exported("\n".join(parts), tuple(_notes(request)))


def _notes(request: Request) -> Iterator[str]:
    options = request.options
    if options.dovecot != "2.3" and options.strategy == "deny-list":
        yield (
            f"note: with deny-list Dovecot {options.dovecot} refuses OAuth tokens and Kerberos tickets of an account for "
            "the LAN only from everywhere; passwords are not affected"
        )


def _letters(request: Request) -> str:
    """The letters of internationalised domains, which users may type."""
    shown = (unicode_address(address) for address in request.policy.accounts if "xn--" in address)
    return "".join(sorted({letter for address in shown if address for letter in address if not letter.isascii()}))


def _block_23(service: str, path: str, domain: str | None, strategy: str) -> str:
    user = f"{service}/%Lu" if domain is None else f"{service}/%{{if;%d;eq;;%Ln@{domain};%Lu}}"
    results = "\n    ".join(_results(*_RESULTS[strategy]))
    return f"""\
protocol {service} {{
  passdb {{
    name = mailpolicy-{service}
    driver = passwd-file
    args = scheme=PLAIN username_format={user} {path}
    default_fields = nopassword
    {results}
  }}
}}
"""


def _block_24(service: str, path: str, domain: str | None, strategy: str) -> str:
    user = "%{user | lower}"
    if domain is not None:
        user = f"%{{user | username | lower}}@%{{user | domain | lower | default('{domain}')}}"
    reads = (
        "driver = passwd-file",
        f"passwd_file_path = {path}",
        f"auth_username_format = {service}/{user}",
        "default_password_scheme = PLAIN",
    )
    only = f"mechanisms_filter = {_VERIFIED}"
    name = f"mailpolicy-{service}"
    if strategy == "deny-list":
        # Beside `deny` allow_nets has no effect: whoever is listed is refused from everywhere.
        passdbs = [_passdb_24(f"{name}-verified", *reads, only, "deny = yes")]
    else:
        listed = _results("return-ok", "continue-fail", "continue-fail")
        passdbs = [
            _passdb_24(f"{name}-verified", *reads, only, *listed),
            _passdb_24(f"{name}-refused", "driver = static", only, "deny = yes"),
        ]
    passdbs.append(_passdb_24(name, *reads, *_results(*_RESULTS[strategy])))
    return f"protocol {service} {{\n{''.join(passdbs)}}}\n"


def _passdb_24(name: str, *settings: str) -> str:
    lines = "".join(f"    {setting}\n" for setting in settings)
    return f"  passdb {name} {{\n{lines}    fields {{\n      nopassword = yes\n    }}\n  }}\n"


def _results(success: str, failure: str, internal: str) -> tuple[str, ...]:
    return (f"result_success = {success}", f"result_failure = {failure}", f"result_internalfail = {internal}")
