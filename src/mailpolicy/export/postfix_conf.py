"""The lines of Postfix's main.cf that send mail out over the smart host with each sender's own login.

Promises: sender-dependent logins only under per-account authentication. Not promised: that they fit what else is in
main.cf. Source: SASL_README of Postfix, postconf(5); seen on Postfix 3.7 and 3.10. Plain `reject_sender_login_mismatch`
is not used: it refuses whoever logs in and sends with an address that the map does not have, so every account without a
login of its own. That either does nothing without smtpd_sasl_auth_enable was seen on 3.7.
"""

from __future__ import annotations

import os.path

from mailpolicy.export.postfix_sasl_passwd import nexthop
from mailpolicy.export.request import CannotCarry, Exported, Request

_SMTPS = 465


def export(request: Request) -> Exported:
    """The lines, each with its reason where it is not plain."""
    policy, options = request.policy, request.options
    server = policy.server
    data = options.data or ""
    logins = options.sender_login or os.path.join(os.path.dirname(data), "sender_login")
    for path in (data, logins):
        if not path.startswith("/") or any(character.isspace() or character in "$,{}" for character in path):
            raise CannotCarry(
                [f"{path!a} is no path that main.cf can be told: absolute, no white space, no $ or comma"]
            )
    per_account = server.per_account_auth
    notes = []
    authenticated = per_account or server.smart_host_login is not None
    lines = [
        f"relayhost = {nexthop(policy)}",
        f"smtp_sasl_auth_enable = {'yes' if authenticated else 'no'}",
        f"smtp_sender_dependent_authentication = {'yes' if per_account else 'no'}",
        f"smtp_sasl_password_maps = {options.map}:{data}",
        "smtp_sasl_security_options = noanonymous",
        "smtp_tls_security_level = encrypt",
    ]
    if server.relay_port == _SMTPS:
        lines.append("smtp_tls_wrappermode = yes")
    if per_account:
        lines += [
            "# The envelope sender chooses the login, so without these two lines anybody who may send at all could use",
            "# somebody else's login at the smart host by forging her address. An address in the map is its account's,",
            "# which logs in with the address as its name; every other address stays free, as it would not with",
            "# reject_sender_login_mismatch. Postfix obeys the second line only where clients can log in",
            "# (smtpd_sasl_auth_enable = yes), and passes over it without a word where they cannot.",
            f"smtpd_sender_login_maps = {options.map}:{logins}",
            "smtpd_sender_restrictions = reject_known_sender_login_mismatch",
        ]
        notes.append("note: smtpd_sender_restrictions is ignored by Postfix unless smtpd_sasl_auth_enable = yes")
    return Exported("\n".join(lines) + "\n", tuple(notes))
