"""What the exported files say is what `check` and `smart-host show` say: read by small readers that know only the formats."""

from __future__ import annotations

import ipaddress
import re
import shlex

from hypothesis import given

from mailpolicy.export import TARGETS, Exported, Options, Request
from mailpolicy.policy.question import question, service_named
from mailpolicy.policy.verdict import judge
from tests.policies import ADDRESSES, IPS, Invented, policies

PROTOCOLS = {"imap": "imap", "pop3": "pop", "smtp": "smtp", "submission": "smtp", "sieve": "sieve"}


def _export(target: str, invented: Invented, options: Options = Options()) -> Exported:  # noqa: B008 - a constant
    def secrets(users: object) -> dict[str, str]:
        return {user: invented.secrets[user] for user in users if user in invented.secrets}  # type: ignore[attr-defined]

    return TARGETS[target].export(Request(invented.policy, options, secrets))


def _body(target: str, invented: Invented, options: Options = Options()) -> str:  # noqa: B008 - a constant
    return _export(target, invented, options).body


def _passwd_file(text: str) -> dict[str, str]:
    """Dovecot's passwd-file: user, password and the extra fields after six more colons; a backslash escapes."""
    users = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        key, rest = re.fullmatch(r"((?:[^:\\]|\\.)*):(.*)", line).groups()  # type: ignore[union-attr]
        fields = rest.split(":", 6)
        user = re.sub(r"\\(.)", r"\1", key)
        assert user not in users, "Dovecot takes the first one and logs an error"
        users[user] = fields[6]
    return users


def _matches(fields: str, ip: str) -> bool:
    """Whether a line's allow_nets, if it has any, hold the address."""
    if not fields:
        return True
    address = ipaddress.ip_address(ip)
    address = getattr(address, "ipv4_mapped", None) or address
    nets = fields.removeprefix("allow_nets=").split(",")
    return any(address in ipaddress.ip_network(net) for net in nets if net != "local")


@given(policies())
def test_dovecot_admits_whom_check_allows(invented: Invented) -> None:
    allow = _passwd_file(_body("dovecot", invented))
    deny = _passwd_file(_body("dovecot", invented, Options(strategy="deny-list")))
    for service, protocol in PROTOCOLS.items():
        if not invented.policy.governs(service_named(protocol)):
            assert not any(key.startswith(f"{service}/") for key in (*allow, *deny))
            continue
        for address in ADDRESSES:
            for ip in IPS:
                allowed = judge(invented.policy, question(address, protocol, ip)).allowed
                spellings = {address, address.replace("xn--bcher-kva", "bücher")}
                for spelling in spellings:
                    listed = allow.get(f"{service}/{spelling}")
                    assert (listed is not None and _matches(listed, ip)) is allowed
                    if address in invented.policy.accounts:
                        refused = deny.get(f"{service}/{spelling}")
                        assert (refused is None or not _matches(refused, ip)) is allowed


def _credentials(invented: Invented, sender: str) -> tuple[str, str] | None:
    """The credentials that a sender's mail must go out with, said again in plain words."""
    policy, server = invented.policy, invented.policy.server
    account = policy.accounts.get(sender.replace("bücher", "xn--bcher-kva"))
    if server.per_account_auth and account is not None and account.login is not None:
        return account.login, invented.secrets[f"smart-host/{account.address}/relay.example:587"]
    if server.smart_host_login is not None:
        return server.smart_host_login, invented.secrets["smart-host/@server/relay.example:587"]
    return None


SENDERS = (*ADDRESSES, "ann@bücher.example", "nobody@x.example", "")


@given(policies())
def test_postfix_and_exim_send_with_the_login_that_is_shown(invented: Invented) -> None:
    postfix: dict[str, str] = {}
    for line in _body("postfix-sasl-passwd", invented).removesuffix("\n").split("\n"):
        key, _, value = line.partition(" ")
        assert key not in postfix, "a second one makes the whole map unusable"
        postfix[key] = value
    exim = dict(line.split(": ", 1) for line in _body("exim-passwd", invented).removesuffix("\n").split("\n") if line)
    for sender in SENDERS:
        wanted = _credentials(invented, sender)
        found = postfix.get(sender) or postfix.get("[relay.example]:587")
        assert (tuple(found.split(":", 1)) if found else None) == wanted
        found = exim.get(sender) if sender in exim else exim.get("*")
        # Exim drops the white space before a value; only a login could begin with it, and none may.
        assert (tuple(found.lstrip().split(":", 1)) if found else None) == wanted


@given(policies())
def test_only_who_has_a_login_of_its_own_owns_an_address(invented: Invented) -> None:
    owners = dict(line.split(" ", 1) for line in _body("postfix-sender-login", invented).splitlines())
    per_account = invented.policy.server.per_account_auth
    for sender in SENDERS:
        account = invented.policy.accounts.get(sender.replace("bücher", "xn--bcher-kva"))
        owned = per_account and account is not None and account.login is not None
        assert (sender in owners) is owned
        if owned:
            assert sender in owners[sender].split(", ")


Polled = tuple[str, str, str, bool, int | None, str]


def _expected(invented: Invented) -> dict[str, Polled]:
    """The sources that may be polled: for whom, where, with which login, whether copies stay, up to which size, and how."""
    return {
        f"{address}/{name}": (address, source.host, source.login, source.keep, source.max_size_kb, str(source.auth))
        for address, account in invented.policy.accounts.items()
        if judge(invented.policy, question(address, "multipop", None)).allowed
        for name, source in account.sources.items()
        if source.enabled
    }


_STANZA = re.compile(
    r'poll "(?P<name>[^"]*)" via "(?P<host>[^"]*)" protocol POP3 service (?P<port>[0-9]+) uidl\n'
    r'  user "(?P<login>[^"]*)" there with password "(?P<password>[^"]*)" is "(?P<address>[^"]*)" here\n'
    r"  (?P<tls>.*)\n"
    r'  smtphost "127\.0\.0\.1/25" (?P<keep>keep|nokeep)(?: limit (?P<limit>[0-9]+))?\n'
)


_TLS = {"ssl sslcertck": "implicit", 'sslproto "auto" sslcertck': "starttls", 'sslproto ""': "none"}


def _unquoted(text: str) -> str:
    """A fetchmail string, whose only escape here is \\xHH."""
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))
    return plain.decode("utf-8")


@given(policies())
def test_what_may_be_polled_is_polled(invented: Invented) -> None:
    body = _body("fetchmail", invented)
    found = {}
    secrets = {}
    for stanza in body.split("\n\n") if body else ():
        match = _STANZA.fullmatch(stanza if stanza.endswith("\n") else f"{stanza}\n")
        assert match is not None, stanza
        name = _unquoted(match["name"])
        limit = int(match["limit"]) // 1024 if match["limit"] else None
        address, host, login = (_unquoted(match[part]) for part in ("address", "host", "login"))
        found[name] = (address, host, login, match["keep"] == "keep", limit, "password")
        at = f"{login}@{host}:{match['port']}/{_TLS[match['tls']]}"
        secrets[f"multipop/{name}/{at}"] = _unquoted(match["password"])
    polled = _expected(invented)
    assert found == {name: source for name, source in polled.items() if source[-1] == "password"}
    notes = "".join(_export("fetchmail", invented).notes)
    assert [name for name in polled if f" {name};" in notes or f" {name}," in notes] == [
        name for name in polled if name not in found
    ]
    assert all(invented.secrets[user] == secret for user, secret in secrets.items())


@given(policies())
def test_mpop_asks_for_the_password_of_what_may_be_polled(invented: Invented) -> None:
    body = _body("mpop", invented)
    found = {}
    for paragraph in body.split("\n\n") if body else ():
        lines = dict(line.split(" ", 1) for line in paragraph.splitlines())
        command = shlex.split(lines["passwordeval"][1:-1])
        assert "/".join(command[-2:]) == lines["account"]
        size = int(lines["skipsize"].removesuffix("k")) if "skipsize" in lines else None
        address = shlex.split(lines["delivery"].partition(" ")[2][1:-1])[-1]
        auth = lines.get("auth", "user").replace("user", "password")
        found[lines["account"]] = (address, lines["host"], lines["user"][1:-1], lines["keep"] == "on", size, auth)
    assert found == _expected(invented)
