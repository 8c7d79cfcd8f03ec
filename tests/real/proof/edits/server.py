"""Edits of the server, logins and sources, with the trees that they are to make."""

from __future__ import annotations

import copy

from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.model import Edit, Model, Tree, one_of


def server(choices: Choices, model: Model) -> Edit | None:
    match choices.pick(["set", "set", "govern", "ungovern", "smart host", "login", "clear"]):
        case "set":
            key = choices.pick(["edition", "multipop", "outlook-connector-installed"])
            word, value = choices.pick(
                [("standard", "standard"), ("pro", "pro")] if key == "edition" else [("off", False), ("on", True)]
            )
            model.server[key.replace("-", "_")] = value
            return Edit(("server", "set", key, str(word)), [model.tree])
        case "govern":
            old = model.server.get("govern", [])
            service = choices.pick(["smtp", "sieve"])
            model.server["govern"] = [*old, *([service] if service not in old else [])]
            back = ("server", "ungovern", service, "--yes") if service not in old and old else None
            return Edit(("server", "govern", service), [model.tree], may_be_refused=True, back=back)
        case "ungovern":
            service = choices.pick(["smtp", "sieve"])
            left = [one for one in model.server.get("govern", ()) if one != service]
            trees = [model.tree]
            if left == model.server.get("govern", []):
                return Edit(("server", "ungovern", service, "--yes"), trees)
            model.server["govern"] = left
            if not left:
                trees.append(copy.deepcopy(model.tree))
                del model.server["govern"]
            return Edit(("server", "ungovern", service, "--yes"), trees)
        case "smart host":
            words, keys = choices.pick([
                (("--port", "25"), {"port": 25}),
                (("--host", "other.example"), {"host": "other.example"}),
                (("--per-account", "on"), {"per_account_auth": True}),
            ])  # fmt: skip
            model.server.setdefault("smart_host", {}).update(keys)
            return Edit(("smart-host", "set", "--server", *words, "--yes"), [model.tree])
        case "login":
            address = one_of(choices, model)
            login = choices.pick(["eve", "it's", 'a"b\\'])
            if address is None:
                return None
            model.account(address)["smart_host_login"] = login
            hosted = "host" in model.server.get("smart_host", {})
            return Edit(
                ("smart-host", "set", address, "--login", login, "--password-file", "PASSWORD"),
                [model.tree] if hosted else [],
            )
    if (address := one_of(choices, model)) is None:
        return None
    model.account(address).pop("smart_host_login", None)
    return Edit(("smart-host", "clear", address, "--yes"), [model.tree])


def source(choices: Choices, model: Model) -> Edit | None:
    if (address := one_of(choices, model)) is None:
        return None
    account = model.account(address)
    sources: Tree = account.setdefault("sources", {})
    verb = choices.pick(["add", "set", "remove"])
    command = ("multipop", "source", verb, address)
    if verb == "add":
        name = choices.pick(["isp", "new"])
        if name in sources:
            return None
        drawn: list[tuple[tuple[str, ...], Tree]] = [
            ((), {}),
            (("--port", "1995", "--no-keep"), {"port": 1995, "keep": False}),
        ]
        words, keys = choices.pick(drawn)
        sources[name] = {"host": "pop.new.example", "login": "me", **keys}
        new = (*command, name, "--host", "pop.new.example", "--login", "me", *words)
        return Edit(new, [model.tree], back=("multipop", "source", "remove", address, name, "--yes"))
    if not sources:
        return None
    name = choices.pick(list(sources))
    if verb == "set":
        drawn = [
            (("--port", "110"), {"port": 110}),
            (("--keep",), {"keep": True}),
            (("--login", "you"), {"login": "you"}),
        ]
        words, keys = choices.pick(drawn)
        if (keys.get("keep") and "keep" not in sources[name]) or (
            keys.get("port") == 110 and "port" not in sources[name]
        ):
            # What a missing key means is not for a small model.
            trees = [copy.deepcopy(model.tree), model.tree]
        else:
            trees = [model.tree]
        sources[name].update(keys)
        return Edit((*command, name, *words, "--yes"), trees)
    del sources[name]
    if not sources:
        del account["sources"]
    return Edit((*command, name, "--yes"), [model.tree])
