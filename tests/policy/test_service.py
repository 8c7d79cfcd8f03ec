"""A service is declared once; what cannot be derived from the declaration must be there too."""

from __future__ import annotations

import pytest

from mailpolicy.cli.app import COMMANDS, LazyGroup
from mailpolicy.policy.service import Service


@pytest.mark.parametrize("service", Service)
def test_every_service_has_its_commands_and_its_option(service: Service) -> None:
    assert COMMANDS[service][0] == "services"
    add = LazyGroup().get_command(None, "account").commands["add"]
    assert f"--{service}" in {name for parameter in add.params for name in parameter.opts}
