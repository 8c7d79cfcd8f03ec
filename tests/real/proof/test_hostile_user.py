"""Root runs commands in a folder that a hostile user can write too, who acts between any two of its system calls.

Three such folders: sticky as /tmp; of a trusted group, in which the user is; the user's own. Before each call that mailpolicy
makes in a place of its source where it has not been tried yet, each thing that can be planted is planted under each name that the
command has used. What is root's stays as it was, nothing of it gets into the output or becomes readable, and nothing that
the user wrote is run.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path

import pytest

from mailpolicy.cli.app import root as program
from tests.helpers import needs_root
from tests.real.proof import warm
from tests.real.proof.privileges.beside import COMMANDS, STATUSES, Folder, Machine, require_unharmed
from tests.real.proof.privileges.user import Attack, Planted
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

SHARDS = scaled(4, 1)
# Read line by line as they come, from a FIFO too, as `apply <(...)` gives one.
STREAMS = ("questions", "log", "plan.csv", "lan.txt", "mdaemon.csv", "mdaemon.xml")
PLANTED_MEANWHILE = [
    (Planted.HARD, False),
    (Planted.PRIVATE, False),
    (Planted.NOTHING, True),
    (Planted.FILE, False),
    (Planted.LINK, True),
    (Planted.NOTHING, False),
    (Planted.HARD, True),
]


def attacks(machine: Machine, shard: int) -> Iterator[tuple[str, Attack, bytes]]:
    """Yield what is tried, with the command and the store that it makes.

    Before the first call of each command everything is tried under every name; later at each new place in the source everything
    under the name that the call is about, and something under each name that the command has used before.
    """
    sites: set[object] = set()
    begun: set[object] = set()
    turns = cycle(PLANTED_MEANWHILE)
    for line in COMMANDS[:: scaled(1, 6)]:
        result, seen = machine.run(line, None)
        assert result.status in STATUSES, (line, result)
        new = (machine.arena.shared / "accounts.toml").read_bytes()
        chosen = []
        for name in dict.fromkeys(call.name for call in seen.calls if call.name is not None):
            if (line.split()[0], name) not in begun:
                begun.add((line.split()[0], name))
                chosen += [Attack(1, name, planted) for planted in Planted]
        used: list[str] = []
        for call in seen.calls:
            if call.name is not None and call.name not in used:
                used.append(call.name)
            if (site := (*call.site, role(call.name))) in sites:
                continue
            sites.add(site)
            if call.name is not None:
                chosen += [Attack(call.number, call.name, *how) for how in product(Planted, (False, True))]
            chosen += [Attack(call.number, name, *next(turns)) for name in used if name != call.name]
        for attack in chosen:
            if (attack.planted is Planted.FIFO and attack.name in STREAMS) or machine.protects(attack.name):
                continue
            # Which half of them, or which few, has nothing to do with their order.
            turn = zlib.crc32(repr((line, attack)).encode()) % (SHARDS * scaled(2, 18))
            if turn == shard:
                yield line, attack, new


def role(name: str | None) -> str | None:
    """Return a name, the same for all exports."""
    return re.sub(r"^(\.?)(d|out|sasl)\b", r"\1export", name) if name is not None else None


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("folder", Folder)
def test_between_two_calls(folder: Folder, shard: int, tmp_path: Path, tried: Tried) -> None:
    needs_root()
    warm.preload()
    program()
    tmp_path.chmod(0o755)
    machine = Machine(tmp_path, folder)
    held = 0
    for line, attack, new in attacks(machine, shard):
        result, seen = machine.run(line, attack)
        require_unharmed(machine, result, (line, attack), new)
        held += seen.succeeded
    tried(Promise.PRIVILEGES, held, f"swaps between two calls, in {folder.value}")
