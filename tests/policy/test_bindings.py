"""Check how a secret is named after where it is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.export import TARGETS, Options, Request
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.model import Policy, Server
from mailpolicy.policy.source import Source, Tls
from tests.machine import ALICE
from tests.policies import LOGINS

NAMES = {
    ("smtp.relay.example", 587): "smtp.relay.example:587",
    ("smtp.relay.example", None): "smtp.relay.example:587",
    ("SMTP.Relay.example", 25): "smtp.relay.example:25",
    ("bücher.example", None): "xn--bcher-kva.example:587",
    ("192.0.2.7", 465): "192.0.2.7:465",
    ("2001:DB8::0:1", None): "[2001:db8::1]:587",
    (None, 587): "",
}


@pytest.mark.parametrize(("host", "port"), NAMES)
@pytest.mark.parametrize(("address", "whose"), [(ALICE, ALICE), (None, "@server")])
def test_the_names_of_smart_host_passwords(host: str | None, port: int | None, address: str | None, whose: str) -> None:
    secret = bindings.smart_host_secret(Server(smart_host=host, smart_host_port=port), address)
    assert secret.user == f"smart-host/{whose}/{NAMES[host, port]}"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("postfix-sasl-passwd", "[smtp.relay.example]:587 relay:word\n"),
        ("postfix-conf", "relayhost = [smtp.relay.example]:587\n"),
        ("exim-conf", "  port = 587\n"),
    ],
)
def test_a_port_that_is_missing_is_the_one_of_the_name(target: str, line: str) -> None:
    """What the servers are told is where the password may be sent."""
    policy = Policy(Server(smart_host="smtp.relay.example", smart_host_login="relay"), {}, {}, {})
    request = Request(policy, Options(data="/x"), lambda users: dict.fromkeys(users, "word"))
    assert line in TARGETS[target].export(request).body


_SOURCES = st.builds(
    Source,
    host=st.sampled_from(["pop.gmx.example", "192.0.2.7", "2001:db8::1"]),
    port=st.sampled_from([110, 995]),
    login=st.one_of(LOGINS, st.sampled_from(["a@pop.gmx.example:995/implicit", "a/b", "x/none", "@"])),
    tls=st.sampled_from(Tls),
)


@given(_SOURCES, _SOURCES)
def test_a_name_stands_for_one_destination(one: Source, other: Source) -> None:
    """Whatever a login holds, no two destinations have one name, and the name is read back as what it was made of."""
    first, second = (bindings.source_secret(ALICE, "gmx", source) for source in (one, other))
    assert (first.user == second.user) is (one[:4] == other[:4])
    assert Secret.parse(first.user) == first
    assert first.owner == Owner(ALICE, "gmx")


@pytest.mark.parametrize("name", ["master-key", "trial/x", "smart-host/alice@example.com", "multipop/a@x/gmx", ""])
def test_what_is_no_name_of_a_secret(name: str) -> None:
    assert Secret.parse(name) is None
