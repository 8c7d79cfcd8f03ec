"""Dovecot's configuration of passdbs that ask the policy: what is the same wherever the policy is kept.

The site's passdb still checks the password. Users who are not listed are refused; services that the store does not govern
have no block and are not affected. Mechanisms that ask no passdb (ANONYMOUS) are not covered, and in Dovecot 2.4 the site's passdbs
cannot add fields to a login by token or ticket.

Source: seen on Dovecot 2.3.19, 2.4.1 and 2.4.5. `noauthenticate` would make Dovecot ignore allow_nets. `continue-fail` is used
because plain `continue` would accept any password.
"""

from __future__ import annotations

from mailpolicy.export.request import Request
from mailpolicy.policy.names import unicode_address

# Mechanisms that verify the user themselves before they ask a passdb. Since Dovecot 2.4.2 they take "unknown user" for
# consent; only "user disabled", the answer of a passdb with `deny`, makes them refuse.
VERIFIED = "mechanisms_filter = gssapi gss-spnego oauthbearer xoauth2"
VERIFIED_COMMENT = (
    "# the first passdbs are for tokens and tickets: Dovecot admits their bearers unless a passdb denies them\n"
)
# Dovecot's default, and the other characters that an account's address may have.
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@+=~'&"
NO_PASSWORD = ("fields {\n      nopassword = yes\n    }",)


def characters(request: Request) -> str:
    """Return the setting that lets users type the names of all accounts."""
    shown = (unicode_address(address) for address in request.policy.accounts if "xn--" in address)
    letters = {letter for address in shown if address for letter in address if not letter.isascii()}
    return (
        "# to allow more characters, set this again in a file that is read later\n"
        f"auth_username_chars = {_CHARACTERS}{''.join(sorted(letters))}\n"
    )


def user(version: str, domain: str | None) -> str:
    """Return the variable for the name that logs in, lower-case, completed with a domain if one is given."""
    if version == "2.3":
        return "%Lu" if domain is None else f"%{{if;%d;eq;;%Ln@{domain};%Lu}}"
    if domain is None:
        return "%{user | lower}"
    return f"%{{user | username | lower}}@%{{user | domain | lower | default('{domain}')}}"


def results(success: str, failure: str, internal: str) -> tuple[str, ...]:
    """Return the settings for a login that is listed, is not listed, or cannot be asked about."""
    return (f"result_success = {success}", f"result_failure = {failure}", f"result_internalfail = {internal}")


ADMITTING = results("continue-fail", "return-fail", "return-fail")  # whoever is listed


def passdb_23(service: str, *settings: str) -> str:
    """Return the block of a service for Dovecot 2.3."""
    return _block(service, _passdb("", f"name = mailpolicy-{service}", *settings))


def passdbs_24(service: str, *reads: str, no_password: tuple[str, ...] = ()) -> str:
    """Return the block of a service for Dovecot 2.4, where all who are listed are admitted."""
    name = f"mailpolicy-{service}"
    listed = results("return-ok", "continue-fail", "continue-fail")
    return _block(
        service,
        _passdb(f"{name}-verified", *reads, VERIFIED, *listed, *no_password),
        _passdb(f"{name}-refused", "driver = static", VERIFIED, "deny = yes", *NO_PASSWORD),
        _passdb(name, *reads, *ADMITTING, *no_password),
    )


def denying_passdbs_24(service: str, *reads: str) -> str:
    """Return the block of a service for Dovecot 2.4, where all who are listed are denied."""
    name = f"mailpolicy-{service}"
    return _block(
        service,
        # Beside `deny` allow_nets has no effect: whoever is listed is refused from everywhere.
        _passdb(f"{name}-verified", *reads, VERIFIED, "deny = yes", *NO_PASSWORD),
        _passdb(name, *reads, *DENYING, *NO_PASSWORD),
    )


DENYING = results("return-fail", "continue", "return-fail")


def _block(service: str, *passdbs: str) -> str:
    return f"protocol {service} {{\n{''.join(passdbs)}}}\n"


def _passdb(name: str, *settings: str) -> str:
    lines = "".join(f"    {setting}\n" for setting in settings)
    return f"  passdb {f'{name} ' if name else ''}{{\n{lines}  }}\n"
