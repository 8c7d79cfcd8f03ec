"""The same policy in Casbin, asked question by question with its `enforce`.

Promises: Casbin is given its best case: one rule for each protocol, the accounts' resolved switches as attributes of
the request, the LAN as a function of its own; only the calls are timed. With a rule for each account it would walk
through all of them at every question.
"""

import json
import sys
from ipaddress import ip_address, ip_network
from time import perf_counter
from types import SimpleNamespace

import casbin
from cedar import ALIASES

from mailpolicy.policy.service import SWITCHES
from mailpolicy.store.store import Store

_MODEL = """
[request_definition]
r = sub, act, ip
[policy_definition]
p = act, rule
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && eval(p.rule)
"""
_OPEN = "r.sub.active && "
_RULES = {
    "pop": "r.sub.pop && (!r.sub.pop_lan_only || lan(r.ip))",
    "imap": "r.sub.pro && r.sub.imap && (!r.sub.imap_lan_only || lan(r.ip))",
    "multipop": "r.sub.multipop && r.sub.collects",
    "outlook-connector": (
        "r.sub.pro && r.sub.connector && r.sub.outlook_connector && r.sub.imap && (!r.sub.imap_lan_only || lan(r.ip))"
    ),
}


def main(store: str, questions: str, count: int) -> None:
    policy = Store.read(store).policy()
    server = policy.server
    networks = [network for entry in server.lan_entries for network in entry.networks]
    networks = [ip_network(network) for network in networks]
    facts = {
        "pro": server.edition == "pro",
        "connector": server.outlook_connector_installed,
        "collects": server.multipop,
    }
    known = {
        account.address: SimpleNamespace(
            **{switch: policy.setting(account, switch).value for switch in SWITCHES},
            active=not account.suspended,
            **facts,
        )
        for account in policy.accounts.values()
    }
    nobody = SimpleNamespace(**dict.fromkeys(SWITCHES, False), active=False, **facts)
    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_function("lan", lambda ip: any(ip_address(ip) in network for network in networks))
    for protocol, rule in _RULES.items():
        enforcer.add_policy(protocol, _OPEN + rule)
    asked = []
    with open(questions, encoding="utf-8") as file:
        for _, line in zip(range(count), file, strict=False):
            address, protocol, ip = line.split()
            subject = known.get(address.lower(), nobody)
            asked.append((subject, ALIASES.get(protocol, protocol), ip.removeprefix("::ffff:")))
    begin = perf_counter()
    answers = [enforcer.enforce(*question) for question in asked]
    seconds = perf_counter() - begin
    json.dump({"seconds": seconds, "answers": ["allow" if answer else "deny" for answer in answers]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
