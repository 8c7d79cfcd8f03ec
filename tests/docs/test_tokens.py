"""docs/secrets.md: the host.toml of its section about tokens serves the sources that its commands add."""

from __future__ import annotations

import re
from pathlib import Path

from mailpolicy.store import host
from mailpolicy.store.store import Store
from tests.docs.pages import blocks
from tests.helpers import ROOT, Run
from tests.machine import STORE

PAGE = (ROOT / "docs/secrets.md").read_text(encoding="utf-8")


def test_the_tokens_of_the_page(tmp_path: Path, run: Run) -> None:
    section = PAGE[PAGE.index("\n## Tokens\n") : PAGE.index("\n## Which keyring\n")]
    (shown,) = re.findall("^```toml\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    path, store = tmp_path / "host.toml", tmp_path / "accounts.toml"
    path.write_text(shown)
    store.write_text(STORE)
    tokens = host.read(str(path)).tokens
    (adding,) = [block.text for block in blocks("docs/secrets.md") if "--auth xoauth2" in block.text]
    for command in adding.replace("\\\n", "").splitlines():
        added = run(*command.split()[1:], "--file", str(store), "--host-config", str(path))
        assert (added.status, "has no [tokens." in added.err) == (0, False)
    sources = Store.read(str(store)).policy().accounts["alice@example.com"].sources.values()
    assert {source.token for source in sources} == tokens.keys()
    for source in sources:
        assert source.token is not None
        assert tokens[source.token].hosts == frozenset([source.host])
        assert source.port == 995
