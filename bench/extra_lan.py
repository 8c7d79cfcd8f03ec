"""The promises about accounts with networks: very many questions, and an export.

Promises: as in `scale`.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import stores
from bars import GREAT_MANY, OUTSIDE, require, stored, tree_of
from scale import CHECKED, QUESTIONS, settled
from table import Bar, milliseconds, rate, spaced
from timing import mailpolicy, told, turns

from mailpolicy.policy.lan import lan_entry


def networks(folder: Path) -> list[Bar]:
    """The same store with networks: very many questions, and the export, in which accounts share their networks."""
    plain, asked, one, answers = (
        stored(folder, GREAT_MANY),
        folder / "questions",
        folder / "question",
        folder / "answers",
    )
    store = folder / "networks.toml"
    store.write_text(stores.with_networks(plain.read_text(encoding="utf-8")), encoding="utf-8")
    with open(asked, "w", encoding="utf-8") as file:
        file.writelines("\t".join(question) + "\n" for question in stores.questions(QUESTIONS, GREAT_MANY))
    one.write_text(f"{stores.addresses(GREAT_MANY)[0]}\tpop\t{OUTSIDE}\n", encoding="utf-8")
    settled()
    mailpolicy("check", "--file", store, "--batch", one)
    passwd = folder / "passwd"

    def made(policy: Path) -> float:
        passwd.unlink(missing_ok=True)
        return mailpolicy("export", "dovecot", "--file", policy, "--output", passwd)

    rounds = turns(
        5,
        lambda: mailpolicy("check", "--file", store, "--batch", asked, output=answers, status=1),
        lambda: mailpolicy("check", "--file", store, "--batch", one),
        lambda: float(told("ip_loop", asked)["seconds"]),
        partial(made, plain),
        partial(made, store),
    )
    _require_networks(tree_of(store), answers.read_text(encoding="utf-8").splitlines()[:CHECKED])
    require("98.51.100.7/32,100.64.0.0/16" in passwd.read_text(encoding="utf-8"), "the networks are not in the export")
    ours = [(QUESTIONS - 1) / (all_of_them - single) for all_of_them, single, *_ in rounds]
    loop = [QUESTIONS / seconds for _, _, seconds, *_ in rounds]
    exports = [(with_networks, without) for *_, without, with_networks in rounds]
    here = f"{spaced(GREAT_MANY)} accounts with networks"
    return [
        Bar(
            f"`check --batch`, {spaced(QUESTIONS)} questions on {here}, after start-up",
            0.7,
            False,
            list(zip(ours, loop, strict=True)),
            "bare loop of `ipaddress.ip_address`",
            rate,
        ),
        Bar(f"`export dovecot` of {here}", 1.1, True, exports, "the same store without networks", milliseconds),
    ]


def _require_networks(tree: dict[str, Any], answers: list[str]) -> None:
    """Look whether LAN-only POP is decided by the LAN and the account's networks, from the tree alone."""
    seen: Counter[tuple[bool, str]] = Counter()
    for answer in answers:
        decision, reason, address, protocol, ip = answer.split("\t")
        account = tree["accounts"].get(address)
        if account is None or protocol not in ("pop", "pop3") or not account.get("pop") or account.get("suspended"):
            continue
        extra = account.get("extra_lan", tree["templates"].get(account.get("template"), {}).get("extra_lan", []))
        texts = [text for name in extra for text in tree["networks"][name]]
        lan = [network for text in (*texts, *tree["server"]["lan"]) for network in lan_entry(text)]
        client = ip_address(ip)
        client = getattr(client, "ipv4_mapped", None) or client
        allowed = not account.get("pop_lan_only") or any(client in network for network in lan)
        require((decision, reason) == (("allow", "-") if allowed else ("deny", "outside-lan")), f"wrong: {answer}")
        seen[bool(extra), decision] += 1
    require(seen[True, "allow"] > 0 and seen[True, "deny"] > 0, "no question about networks was checked")


ALL = {"networks": networks}
