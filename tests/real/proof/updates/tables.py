"""Edits of one's own templates, networks, LAN entries, sources and logins."""

from __future__ import annotations

import json
import random

from tests.real.proof.updates.accounts import some
from tests.real.proof.updates.own import Own, Step


def template(drawn: random.Random, own: Own) -> Step | None:
    name = f"t{own.number}x{drawn.randrange(3)}"
    if name not in own.templates:
        return Step(["template", "add", name], lambda after: after.templates.update({name: {}}))
    users = [address for address, table in own.accounts.items() if table.get("template") == name]
    verb = drawn.choice(["remove", "assign", "pop", "rename"])
    if verb == "pop":
        return Step(["pop", "off", "--in-template", name], lambda after: after.templates[name].update(pop=False))
    if verb == "assign" and own.accounts:
        address = drawn.choice(list(own.accounts))
        return Step(["template", "assign", name, address], lambda after: after.accounts[address].update(template=name))
    if verb == "remove" and not users:
        return Step(["template", "remove", name], lambda after: after.templates.pop(name))
    new = f"t{own.number}y{drawn.randrange(9)}"
    if new in own.templates:
        return None

    def rename(after: Own) -> None:
        after.templates[new] = after.templates.pop(name)
        for address in users:
            after.accounts[address]["template"] = new

    return Step(["template", "rename", name, new], rename)


def network(drawn: random.Random, own: Own) -> Step | None:
    name, entry = f"n{own.number}x{drawn.randrange(2)}", f"198.51.{own.number}.{drawn.randrange(9)}"
    if name not in own.networks:
        return Step(["network", "add", name, entry], lambda after: after.networks.update({name: [entry]}))
    users = [address for address, table in own.accounts.items() if name in table.get("extra_lan", ())]
    new = f"n{own.number}y{drawn.randrange(9)}"
    if new not in own.networks and drawn.random() < 0.3:

        def rename(after: Own) -> None:
            after.networks[new] = after.networks.pop(name)
            for address in users:
                table = after.accounts[address]
                table["extra_lan"] = sorted(new if each == name else each for each in table["extra_lan"])

        return Step(["network", "rename", name, new], rename)
    if users:
        address = drawn.choice(users)

        def unassign(after: Own) -> None:
            table = after.accounts[address]
            table["extra_lan"].remove(name)
            if not table["extra_lan"]:
                del table["extra_lan"]

        return Step(["network", "unassign", name, address], unassign)
    if own.accounts and drawn.random() < 0.6:
        address = drawn.choice(list(own.accounts))
        listed = sorted([*own.accounts[address].get("extra_lan", ()), name])
        return Step(
            ["network", "assign", name, address], lambda after: after.accounts[address].update(extra_lan=listed)
        )
    return Step(["network", "remove", name], lambda after: after.networks.pop(name))


def lan(drawn: random.Random, own: Own) -> Step:
    entries = [f"172.{16 + own.number}.{number}.0/24" for number in drawn.sample(range(5), 2)]
    new = sorted({*own.lan, *entries})
    if drawn.random() < 0.3:
        text = "".join(f"{entry}\n" for entry in entries)
        return Step(["lan", "import", "-"], lambda after: after.lan.__setitem__(slice(None), new), text)
    entry = entries[0]
    if entry in own.lan:
        return Step(["lan", "remove", entry], lambda after: after.lan.remove(entry))
    return Step(["lan", "add", entry], lambda after: after.lan.__setitem__(slice(None), sorted([*own.lan, entry])))


def source(drawn: random.Random, own: Own) -> Step | None:
    if not own.accounts or not own.keeps_passwords:
        return None
    address = drawn.choice(list(own.accounts))
    command = ["multipop", "source"]
    if "sources" not in own.accounts[address]:
        return Step(
            [*command, "add", address, "isp", "--host", "pop.isp.example", "--login", "me"],
            lambda after: after.accounts[address].update(sources={"isp": {"host": "pop.isp.example", "login": "me"}}),
        )
    if drawn.random() < 0.5:
        days = drawn.randrange(1, 60)
        return Step(
            [*command, "set", address, "isp", "--delete-after-days", str(days)],
            lambda after: after.accounts[address]["sources"]["isp"].update(delete_after_days=days),
        )
    return Step([*command, "remove", address, "isp", "--yes"], lambda after: after.accounts[address].pop("sources"))


def login(drawn: random.Random, own: Own) -> Step | None:
    if not own.keeps_passwords or not (named := some(drawn, own)):
        return None
    password = f"p{drawn.randrange(10**6)}"

    def given(after: Own) -> None:
        for address in named:
            after.accounts[address]["smart_host_login"] = "me"
            after.passwords[address] = password

    def cleared(after: Own) -> None:
        for address in named:
            after.accounts[address].pop("smart_host_login", None)
            after.passwords.pop(address, None)

    verb = drawn.choice(["set", "import", "clear"])
    if verb == "import":
        lines = [json.dumps({"address": address, "login": "me", "password": password}) for address in named]
        return Step(["smart-host", "import", "-"], given, "\n".join(lines))
    del named[1:]
    if verb == "clear":
        return Step(["smart-host", "clear", *named, "--yes"], cleared)
    return Step(["smart-host", "set", *named, "--login", "me", "--password-stdin"], given, f"{password}\n")
