"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.secrets.site import CANNOT_LIST, KEPT, LISTS, TEXT, Site
from tests.machine import JSON, Machine
from tests.sealing import host_config, sealed_file


@pytest.fixture(params=[LISTS, CANNOT_LIST])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A machine with a keyring of each kind; no run may leak a secret."""
    machine = Machine(tmp_path, None if request.param == LISTS else JSON)
    machine.store.write_text(TEXT)
    machine.known += list(KEPT.values())
    if request.param == LISTS:
        sealed_file(tmp_path).change("mailpolicy", KEPT)
        machine.host_config.write_text(host_config(tmp_path))

        def kept() -> dict[str, str]:
            return sealed_file(tmp_path).get_all()["mailpolicy"]

        yield Site(machine, kept)
    else:
        machine.keyring.write_text(json.dumps({"mailpolicy": KEPT}))
        yield Site(machine, machine.kept)
    assert machine.leaks() == []
