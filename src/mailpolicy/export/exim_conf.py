"""The parts of an Exim configuration that send mail over the smart host with each sender's own login.

Each connection carries one message, so that no message goes out with the login of the one before. Whether the parts fit
the rest of the configuration is not checked. Source: the Exim specification, 30 and 34; seen on Exim 4.96.
"""

from __future__ import annotations

from mailpolicy.export.credentials import smart_host
from mailpolicy.export.request import Exported, Request, require_plain_path

_SMTPS = 465


def export(request: Request) -> Exported:
    """Return the parts, each with the section that it belongs to."""
    server = request.policy.server
    host = smart_host(request.policy)
    data = request.options.data or ""
    require_plain_path(data, "Exim's configuration", "{}$\\:;")
    port = server.relay_port
    smtps = "  protocol = smtps\n" if port == _SMTPS else ""
    authenticated = server.per_account_auth or server.smart_host_login is not None
    # If neither the sender nor the server has a login, the mail is relayed without authentication.
    needed = "*" if server.smart_host_login is not None else "${if eq{MAILPOLICY_LOGIN}{}{}{*}}"
    asked = f"  hosts_require_auth = <; {needed}\n" if authenticated else ""
    guard = _GUARD.format(data=data) if server.per_account_auth else ""
    return Exported(f"""\
# In the main section, before the first `begin`: the login and password for the sender's mail. The file must be
# readable by Exim's user: on Debian with `owner = "root:Debian-exim"` and `mode = "0640"` in host.toml.
MAILPOLICY_LOGIN = ${{lookup{{$sender_address}}lsearch*{{{data}}}{{$value}}{{}}}}

{guard}# After `begin routers`, before any router that delivers to other hosts:
mailpolicy_smart_host:
  driver = manualroute
  domains = ! +local_domains
  transport = mailpolicy_smart_host
  route_list = <; * "<, {host}"
  no_more

# After `begin transports`; one message a connection, as the next one may need another login:
mailpolicy_smart_host:
  driver = smtp
  port = {port}
{smtps}  connection_max_messages = 1
{asked}  hosts_require_tls = <; *

# After `begin authenticators`:
mailpolicy_plain:
  driver = plaintext
  public_name = PLAIN
  client_condition = ${{if eq{{MAILPOLICY_LOGIN}}{{}}{{false}}{{true}}}}
  client_send = <; ^{_escaped("extract{1}{:}{MAILPOLICY_LOGIN}")}^{_escaped("sg{MAILPOLICY_LOGIN}{^[^:]*:}{}")}
""")


# The logins of the addresses are compared, not the addresses: two spellings of one account match, and so do accounts that
# share a login.
_GUARD = """\
# In the ACL that acl_smtp_mail names, first. The envelope sender chooses the login, so without this anybody who may send
# at all could use somebody else's login at the smart host by forging her address.
  deny
    message = this sender address belongs to another login
    condition = ${{if !eq{{${{lookup{{$sender_address}}lsearch{{{data}}}}}}}{{}}}}
    condition = ${{if !eq{{${{lookup{{$sender_address}}lsearch{{{data}}}}}}}{{${{lookup{{$authenticated_id}}lsearch{{{data}}}}}}}}}

"""


def _escaped(expansion: str) -> str:
    """Return an expansion whose result has each ^ doubled, as client_send reads a single one as NUL."""
    return f"${{sg{{${{{expansion}}}}}{{\\\\^}}{{^^}}}}"
