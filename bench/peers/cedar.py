"""The same policy in Cedar, asked by cedarpy's batch call.

Promises: Cedar is given its best case: policies and accounts parsed beforehand, switches resolved, names in normal
form, mapped addresses unwrapped, requests in the form it takes fastest, and in calls of `CALL`; only the calls are
timed. The gates are written here anew, so that equal answers say something.
"""

import json
import sys
from time import perf_counter
from typing import Any

import cedarpy

from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import SWITCHES
from mailpolicy.store.store import Store

CALL = 2000  # requests in one call; with more its rate falls, as its answers fill the memory
ALIASES = {"pop3": "pop", "imaps": "imap"}
_RULES = """
permit (principal, action == Action::"pop", resource) when {
    !principal.suspended && principal.pop && (!principal.pop_lan_only || LAN)
};
permit (principal, action == Action::"imap", resource) when {
    !principal.suspended && principal.imap && resource.pro && (!principal.imap_lan_only || LAN)
};
permit (principal, action == Action::"multipop", resource) when {
    !principal.suspended && principal.multipop && resource.multipop
};
permit (principal, action == Action::"outlook-connector", resource) when {
    !principal.suspended && principal.outlook_connector && resource.pro && resource.connector && principal.imap
    && (!principal.imap_lan_only || LAN)
};
"""


def rules(policy: Policy) -> str:
    """The gates as Cedar policies, the LAN written into them."""
    networks = [str(network) for entry in policy.server.lan_entries for network in entry.networks]
    lan = " || ".join(f'context.ip.isInRange(ip("{network}"))' for network in networks)
    return _RULES.replace("LAN", f"({lan})")


def entities(policy: Policy) -> list[dict[str, Any]]:
    """The server, and every account with its resolved switches."""
    server = policy.server
    facts = {
        "pro": server.edition == "pro",
        "connector": server.outlook_connector_installed,
        "multipop": server.multipop,
    }
    found = [_entity("Server", "mail", facts)]
    for account in policy.accounts.values():
        switches = {switch: policy.setting(account, switch).value for switch in SWITCHES}
        found.append(_entity("Account", account.address, {**switches, "suspended": account.suspended}))
    return found


def _entity(kind: str, name: str, facts: dict[str, bool]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": facts, "parents": []}


def request(address: str, protocol: str, ip: str) -> dict[str, Any]:
    """One question."""
    context = {"ip": {"__extn": {"fn": "ip", "arg": ip.removeprefix("::ffff:")}}}
    return {
        "principal": {"type": "Account", "id": address.lower()},
        "action": {"type": "Action", "id": ALIASES.get(protocol, protocol)},
        "resource": {"type": "Server", "id": "mail"},
        "context": json.dumps(context),
    }


def main(store: str, questions: str, count: int) -> None:
    policy = Store.read(store).policy()
    with open(questions, encoding="utf-8") as file:
        requests = [request(*line.split()) for _, line in zip(range(count), file, strict=False)]
    ready = cedarpy.PolicySet.from_str(rules(policy))
    known = cedarpy.Entities.from_json_str(json.dumps(entities(policy)))
    seconds, answers = 0.0, []
    for start in range(0, count, CALL):
        part = requests[start : start + CALL]
        begin = perf_counter()
        results = cedarpy.is_authorized_batch(part, ready, known)
        seconds += perf_counter() - begin
        answers += ["allow" if result.allowed else "deny" for result in results]
    json.dump({"seconds": seconds, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
