"""Edits of services and exceptions, with the trees that they are to make."""

from __future__ import annotations

from datetime import date, timedelta

from tests.helpers import NOW
from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.model import (
    KEYS,
    RESTRICTED,
    Edit,
    Model,
    Tree,
    closing,
    end,
    live,
    narrow,
    targets_of,
    write,
)

ENDS = {
    "2026-12-04": date(2026, 12, 4),
    "+3d": NOW.date() + timedelta(3),
    "+12h": (NOW + timedelta(hours=12)).replace(second=0),
}


def switch(choices: Choices, model: Model) -> Edit | None:
    service = choices.pick(list(KEYS))
    key, lan = KEYS[service], f"{service}_lan_only"
    verbs = [
        "on",
        "off",
        "inherit",
        *(["lan-only", "anywhere", "on --lan-only", "on --anywhere"] if service in RESTRICTED else []),
    ]
    verb = choices.pick(verbs)
    written_by: dict[str, Tree] = {
        "on": {key: True}, "off": {key: False}, "lan-only": {lan: True}, "anywhere": {lan: False},
        "on --lan-only": {key: True, lan: True}, "on --anywhere": {key: True, lan: False},
        "inherit": {key: None, **({lan: None} if service in RESTRICTED else {})},
    }  # fmt: skip
    keys = written_by[verb]
    command = (service, *verb.split())
    layer = choices.pick(["accounts", "accounts", "accounts", "until", "defaults", "template"])
    if layer == "defaults" or (layer == "template" and model.templates):
        name = choices.pick(list(model.templates)) if layer == "template" else ""
        table = model.templates[name] if name else model.defaults
        back = None
        if len(keys) == 1 and verb != "inherit":
            ((written, value),) = keys.items()
            # An empty table of defaults does not come back: it goes with its last key, as does one that an edit made.
            if written not in table and table and not (service in RESTRICTED and {key, lan} & table.keys()):
                back = (service, "inherit")
            elif written in table and table[written] is not value:
                back = (service, _verb(written, not value))
        where = ("--in-template", name) if name else ("--in-defaults",)
        write(table, keys)
        return Edit((*command, *where), [model.tree], back=(*back, *where) if back and written in table else None)
    if (targets := targets_of(choices, model)) is None:
        return None
    words, addresses = targets
    accounts = [model.account(address) for address in addresses]
    refused = not model.governs(service) and verb != "inherit"
    if key == "outlook_connector" and keys[key]:
        refused = not model.server.get("outlook_connector_installed") or not all(
            model.value(one, "imap") for one in accounts
        )
    if layer == "until" and verb != "inherit":
        return _until(choices, model, (*command, *words), accounts, keys, refused)
    back = None
    if len(keys) == 1 and len(accounts) == 1 and verb != "inherit":
        ((written, value),) = keys.items()
        own = accounts[0]
        if written in live(own) and closing(keys):
            back = None
        elif written not in own and not (service in RESTRICTED and {key, lan} & own.keys()):
            back = (service, "inherit")
        elif written in own and own[written] is not value and (key != "outlook_connector" or own[written] is False):
            back = (service, _verb(written, not value))
    for one in accounts:
        write(one, keys)
        narrow(one, closing(keys))
    return Edit(
        (*command, *words), [] if refused else [model.tree], back=(*back, *words) if back and not refused else None
    )


def _verb(key: str, value: bool) -> str:
    return ("lan-only" if value else "anywhere") if key.endswith("_lan_only") else ("on" if value else "off")


def _until(
    choices: Choices, model: Model, command: tuple[str, ...], accounts: list[Tree], keys: Tree, refused: bool
) -> Edit:
    text = choices.pick(list(ENDS))
    value = ENDS[text]
    fresh = len(accounts) == 1 and "temporary" not in accounts[0]
    for account in accounts:
        now, exception = live(account), account.get("temporary", {})
        if not now:
            account["temporary"] = {"until": value, **keys}
        elif end(now["until"]) == end(value):
            exception.update(keys)
        elif exception.keys() - {"until"} <= keys.keys():
            exception.update(until=value, **keys)
        else:
            refused = True
    back = (
        ("temporary", "end", *[word for word in command if "@" in word])
        if fresh and not refused and "--all" not in command
        else None
    )
    return Edit(
        (*command, "--until", text), [] if refused else [model.tree], back=back if back and len(back) > 2 else None
    )


def end_exceptions(choices: Choices, model: Model) -> Edit | None:
    if choices.one_in(3):
        for account in model.accounts.values():
            if "temporary" in account and not live(account):
                del account["temporary"]
        return Edit(("temporary", "end", "--over"), [model.tree])
    if (targets := targets_of(choices, model)) is None:
        return None
    for address in targets[1]:
        model.account(address).pop("temporary", None)
    return Edit(("temporary", "end", *targets[0]), [model.tree])
