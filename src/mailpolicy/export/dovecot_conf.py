"""Dovecot's side of the passwd-file: for each protocol a passdb that is asked before the site's own.

Promises: the site's passdb still decides on the password; what the policy does not list is refused; other services are
untouched unless they are locked. Not promised: mechanisms that ask no passdb (ANONYMOUS, GSSAPI with PAM behind it).
Source: seen on Dovecot 2.3.19 and 2.4.1. `nopassword` stands here, where the next passdb does not see it, and never
`noauthenticate`, under which allow_nets is ignored; `continue-fail`, as plain `continue` would accept any password.
"""

from __future__ import annotations

import math

from mailpolicy.export import dovecot
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.names import unicode_address

# Dovecot's default, and what an account's address may have besides.
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@+=~'&"
_MIB = 1 << 20
# Expands to nothing. Dovecot 2.3 keeps answering from what it has read when a file with a fixed name is gone, all but the
# first question of each second; a file whose name has a variable is forgotten.
_FORGETS = "%{if;1;eq;1;;}"


def export(request: Request) -> Exported:
    """The snippet."""
    options = request.options
    path = options.data or ""
    if not path.startswith("/") or any(character.isspace() or character in "%\"'#\\$" for character in path):
        raise CannotCarry([f"--data {path!a} is no path that Dovecot can be told: absolute, no white space or quote"])
    deny = options.strategy == "deny-list"
    block = _block_23 if options.dovecot == "2.3" else _block_24
    results = ("return-fail", "continue", "return-fail") if deny else ("continue-fail", "return-fail", "return-fail")
    blocks = [block(service, path, options.default_domain, results) for service in (*dovecot.SERVICES, *options.lock)]
    allowed = f"{_CHARACTERS}{_letters(request)}"
    parts = [
        f"# a site that allows more says so in a file that is read after this one\nauth_username_chars = {allowed}\n"
    ]
    if _FORGETS in blocks[0]:
        parts.append(f"# {_FORGETS} is nothing, but with it Dovecot lets nobody in when the file is gone\n")
    parts += blocks
    size = len(dovecot.export(request).body.encode("utf-8"))
    if size > dovecot.MANY:
        limit = max(1024, 256 * math.ceil(8 * size / _MIB / 256))
        parts.append(f"service auth {{\n  vsz_limit = {limit}M\n}}\n")
    return Exported("\n".join(parts))


def _letters(request: Request) -> str:
    """The letters of internationalised domains, which users may type."""
    shown = (unicode_address(address) for address in request.policy.accounts if "xn--" in address)
    return "".join(sorted({letter for address in shown if address for letter in address if not letter.isascii()}))


def _block_23(service: str, path: str, domain: str | None, results: tuple[str, str, str]) -> str:
    user = f"{service}/%Lu" if domain is None else f"{service}/%{{if;%d;eq;;%Ln@{domain};%Lu}}"
    success, failure, internal = results
    gone = _FORGETS if failure == "return-fail" else ""
    return f"""\
protocol {service} {{
  passdb {{
    name = mailpolicy-{service}
    driver = passwd-file
    args = scheme=PLAIN username_format={user} {path}{gone}
    default_fields = nopassword
    result_success = {success}
    result_failure = {failure}
    result_internalfail = {internal}
  }}
}}
"""


def _block_24(service: str, path: str, domain: str | None, results: tuple[str, str, str]) -> str:
    user = "%{user | lower}"
    if domain is not None:
        user = f"%{{user | username | lower}}@%{{user | domain | lower | default('{domain}')}}"
    success, failure, internal = results
    return f"""\
protocol {service} {{
  passdb mailpolicy-{service} {{
    driver = passwd-file
    passwd_file_path = {path}
    auth_username_format = {service}/{user}
    default_password_scheme = PLAIN
    fields {{
      nopassword = yes
    }}
    result_success = {success}
    result_failure = {failure}
    result_internalfail = {internal}
  }}
}}
"""


def masked(line: str) -> str:
    """The line: there is no secret in it."""
    return line
