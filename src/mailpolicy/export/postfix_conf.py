"""The lines of Postfix's main.cf that send mail over the smart host with each sender's own login.

Sender-dependent logins are used only under per-account authentication. Whether the lines fit the rest of main.cf is not
checked. Source: SASL_README of Postfix, postconf(5); seen on Postfix 3.7 and 3.10. Plain `reject_sender_login_mismatch`
is not used: it refuses anybody who logs in and sends with an address that is not in the map, so every account without a
login of its own. Neither restriction does anything without smtpd_sasl_auth_enable (seen on 3.7).
"""

from __future__ import annotations

import os.path

from mailpolicy.export.postfix_sasl_passwd import nexthop
from mailpolicy.export.request import Exported, Request, require_plain_path

_SMTPS = 465


def export(request: Request) -> Exported:
    """Return the lines, with the reasons that are not obvious."""
    policy, options = request.policy, request.options
    server = policy.server
    data = options.data or ""
    logins = options.sender_login or os.path.join(os.path.dirname(data), "sender_login")
    for path in (data, logins):
        require_plain_path(path, "main.cf", "$,{}")
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
        notes.append("note: Postfix ignores smtpd_sender_restrictions unless smtpd_sasl_auth_enable = yes")
    return Exported("\n".join(lines) + "\n", tuple(notes))
