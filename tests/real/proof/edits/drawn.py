"""One edit drawn from all commands that edit the store."""

from __future__ import annotations

from collections.abc import Callable

from tests.real.proof.edits import accounts, server, switches, tables
from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.model import Edit, Model, Tree


def draw(choices: Choices, tree: Tree) -> Edit | None:
    """An edit of this tree, or None if the one that was drawn makes no sense in it."""
    return choices.pick(DRAWN)(choices, Model(tree))


DRAWN: list[Callable[[Choices, Model], Edit | None]] = [
    *(switches.switch, switches.switch, switches.switch, switches.switch, switches.end_exceptions),
    *(accounts.add, accounts.change, accounts.copy, accounts.remove, accounts.rename, accounts.domain),
    *(accounts.suspend, accounts.expire, accounts.apply),
    *(tables.template, tables.lan, tables.network, tables.network),
    *(server.server, server.server, server.source, server.source),
]
