"""Edits of templates, networks and the LAN, with the trees that they are to make."""

from __future__ import annotations

import copy

from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.model import Edit, Model, live, targets_of, write

RESERVED = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
]


def template(choices: Choices, model: Model) -> Edit | None:
    names = list(model.templates)
    verb = choices.pick(["add", "assign", "unassign", "rename", "remove"])
    if verb == "add":
        name = choices.pick(["fresh", "staff"])
        if name in names:
            return Edit(("template", "add", name), [model.tree])
        model.templates[name] = {}
        return Edit(("template", "add", name), [model.tree], back=("template", "remove", name))
    if not names:
        return None
    name = choices.pick(names)
    users = [account for account in model.accounts.values() if account.get("template") == name]
    if verb == "rename":
        new = choices.pick(["office", "staff"])
        if new in names:
            return Edit(("template", "rename", name, new), [] if new != name else [model.tree])
        model.tree["templates"] = {new if one == name else one: table for one, table in model.templates.items()}
        for account in users:
            account["template"] = new
        return Edit(("template", "rename", name, new), [model.tree], {("templates", name): ("templates", new)})
    if verb == "remove":
        del model.templates[name]
        return Edit(("template", "remove", name), [] if users else [model.tree])
    if (targets := targets_of(choices, model)) is None:
        return None
    fresh = not any("template" in model.account(address) for address in targets[1])
    for address in targets[1]:
        write(model.account(address), {"template": name if verb == "assign" else None})
    words = (name, *targets[0]) if verb == "assign" else targets[0]
    back = ("template", "unassign", *targets[0]) if verb == "assign" and fresh else None
    return Edit(("template", verb, *words), [model.tree], back=back)


def lan(choices: Choices, model: Model) -> Edit | None:
    """Entries that none of the others contains: what contains what is not for a small model."""
    verb = choices.pick(["add", "add", "remove", "remove", "reset"])
    server = model.server
    if verb == "reset":
        server["lan"] = RESERVED
        return Edit(("lan", "reset"), [model.tree], replaced=("server", "lan"))
    listed: list[str] = server.get("lan", [])
    if verb == "add":
        new = [
            text
            for text in choices.some(("203.0.113.64/26", "198.51.100.9", "2001:db8::/32"), 2, 1)
            if text not in listed
        ]
        if not new:
            return None
        server["lan"] = [*listed, *new]
        return Edit(("lan", "add", *new), [model.tree], back=("lan", "remove", *new) if listed else None)
    if not listed:
        return None
    gone = choices.some(listed, 2, 1)
    server["lan"] = [text for text in listed if text not in gone]
    return Edit(("lan", "remove", *gone), [model.tree])


def network(choices: Choices, model: Model) -> Edit | None:
    networks = model.networks
    tables = [model.defaults, *model.templates.values(), *model.accounts.values()]
    tables += [account["temporary"] for account in model.accounts.values() if "temporary" in account]
    verb = choices.pick(["add", "assign", "unassign", "assign", "rename", "remove", "remove entry"])
    if verb == "add":
        name, entry = choices.pick(["branch", "fresh"]), "203.0.114.0/24"
        if entry in networks.get(name, ()):
            return Edit(("network", "add", name, entry), [model.tree])
        back = ("network", "remove", name, *([entry] if name in networks else []))
        if networks.get(name) == []:
            back = ()
        networks[name] = [*networks.get(name, ()), entry]
        return Edit(("network", "add", name, entry), [model.tree], back=back or None)
    if not networks:
        return None
    name = choices.pick(list(networks))
    users = [table for table in tables if name in table.get("extra_lan", ())]
    if verb == "remove":
        del networks[name]
        return Edit(("network", "remove", name), [] if users else [model.tree])
    if verb == "remove entry":
        if not networks[name]:
            return None
        gone = choices.pick(networks[name])
        networks[name] = [entry for entry in networks[name] if entry != gone]
        return Edit(("network", "remove", name, gone), [model.tree])
    if verb == "rename":
        new = choices.pick(["office", "home"])
        if new in networks:
            return Edit(("network", "rename", name, new), [] if new != name else [model.tree])
        model.tree["networks"] = {new if one == name else one: entries for one, entries in networks.items()}
        for table in users:
            table["extra_lan"] = [new if one == name else one for one in table["extra_lan"]]
        return Edit(("network", "rename", name, new), [model.tree], {("networks", name): ("networks", new)})
    return _assignment(choices, model, name, verb)


def _assignment(choices: Choices, model: Model, name: str, verb: str) -> Edit | None:
    if (targets := targets_of(choices, model)) is None or any(
        "extra_lan" in live(model.account(one)) for one in targets[1]
    ):
        return None
    emptied = []
    back = verb == "assign"
    for address in targets[1]:
        account = model.account(address)
        nothing: list[str] = []
        inherited = model.value(
            {key: value for key, value in account.items() if key == "template"}, "extra_lan", nothing
        )
        old = account.get("extra_lan", inherited)
        # A list that says what is inherited anyway does not come back: it goes, as does one that an edit made.
        back = back and name not in old and ("extra_lan" not in account or set(old) != set(inherited))
        new = [*old, *([name] if name not in old else [])] if verb == "assign" else [one for one in old if one != name]
        if new == old:
            continue
        if set(new) == set(inherited):
            back = False
            account.pop("extra_lan", None)
            if inherited is nothing:
                emptied.append(account)
        else:
            account["extra_lan"] = new
    trees = [model.tree]
    # A list in a style that would not come back stays, empty, in some of the accounts.
    for account in emptied:
        address = next(key for key, table in model.accounts.items() if table is account)
        for tree in list(trees):
            other = copy.deepcopy(tree)
            other["accounts"][address]["extra_lan"] = []
            trees.append(other)
    words = (name, *targets[0])
    return Edit(("network", verb, *words), trees, back=("network", "unassign", *words) if back else None)
