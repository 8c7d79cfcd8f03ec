"""Dovecot's configuration for the passwd-file: passdbs for each protocol, which are asked before the site's own.

The site's passdb still checks the password. Users who are not listed are refused; services that the store does not govern
have no block and are not affected. Mechanisms that ask no passdb (ANONYMOUS) are not covered, and in Dovecot 2.4 the site's passdbs
cannot add fields to a login by token or ticket.

Source: seen on Dovecot 2.3.19, 2.4.1 and 2.4.5. `nopassword` is set here, where the next passdb does not see it;
`noauthenticate` would make Dovecot ignore allow_nets. `continue-fail` is used because plain `continue` would accept any
password.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from mailpolicy.export import dovecot
from mailpolicy.export.request import Exported, Request, require_plain_path
from mailpolicy.policy.names import unicode_address

# Dovecot's default, and the other characters that an account's address may have.
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@+=~'&"
_MIB = 1 << 20
# Expands to nothing. If a file with a fixed name disappears, Dovecot goes on answering from its old content, except for
# the first request of each second; the content of a file with a variable in its name is dropped.
_EMPTY_VARIABLE = {"2.3": "%{if;1;eq;1;;}", "2.4": "%{protocol | substr(0, 0)}"}
# The result for a login that the file lists, does not list, or cannot be asked about.
_RESULTS = {
    "allow-list": ("continue-fail", "return-fail", "return-fail"),
    "deny-list": ("return-fail", "continue", "return-fail"),
}
# Mechanisms that verify the user themselves before they ask a passdb. Since Dovecot 2.4.2 they take "unknown user" for
# consent; only "user disabled", the answer of a passdb with `deny`, makes them refuse.
_VERIFIED = "gssapi gss-spnego oauthbearer xoauth2"


def export(request: Request) -> Exported:
    """Return the snippet."""
    options = request.options
    path = options.data or ""
    require_plain_path(path, "Dovecot's configuration", "%\"'#\\$")
    empty_variable = _EMPTY_VARIABLE[options.dovecot]
    if options.strategy == "allow-list":
        path += empty_variable
    block = _block_23 if options.dovecot == "2.3" else _block_24
    services = dovecot.governed(request.policy)
    blocks = [block(service, path, options.default_domain, options.strategy) for service in services]
    allowed = f"{_CHARACTERS}{_letters(request)}"
    parts = [
        f"# to allow more characters, set this again in a file that is read later\nauth_username_chars = {allowed}\n"
    ]
    if path.endswith(empty_variable):
        parts.append(
            f"# {empty_variable} expands to nothing, but makes Dovecot refuse everybody if the file is missing\n"
        )
    if options.dovecot != "2.3":
        parts.append(
            "# the first passdbs are for tokens and tickets: Dovecot admits their bearers unless a passdb denies them\n"
        )
    parts += blocks
    size = len(dovecot.export(request).body.encode("utf-8"))
    if size > dovecot.MAX_WITH_DEFAULT_LIMIT:
        limit = max(1024, 256 * math.ceil(8 * size / _MIB / 256))
        parts.append(f"service auth {{\n  vsz_limit = {limit}M\n}}\n")
    return Exported("\n".join(parts), tuple(_notes(request)))


# How the blocks below complete a name without a domain.
_COMPLETED = re.compile(r"%Ln@([^;\s]+);%Lu|\| default\('([^']+)'\)")


def default_domain(configuration: str) -> str | None:
    """Return the default domain of a snippet that is part of a configuration, None if it has none."""
    found = _COMPLETED.search(configuration)
    return (found[1] or found[2]) if found is not None else None


def _notes(request: Request) -> Iterator[str]:
    options = request.options
    if options.dovecot != "2.3" and options.strategy == "deny-list":
        yield (
            f"note: with deny-list, Dovecot {options.dovecot} refuses OAuth tokens and Kerberos tickets of LAN-only "
            "accounts from everywhere; passwords are not affected"
        )


def _letters(request: Request) -> str:
    """Return the non-ASCII letters of internationalised domains, which users may type."""
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
