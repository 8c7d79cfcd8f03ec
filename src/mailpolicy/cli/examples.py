"""Examples for the help page and the manual page of each command, from examples.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from mailpolicy.policy.service import BY_NAME


def of(command: str) -> list[str]:
    """Return the examples of a command, named without the program's own name; [] if there are none."""
    noun, _, verb = command.partition(" ")
    text = _texts().get(command)
    if text is None and (service := BY_NAME.get(noun)) is not None:
        confined = verb == "on" and service.own_lan_switch is not None
        text = _texts()["service"].get("on --lan-only" if confined else verb or "on")
    return (text or "").format(noun).splitlines()


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(files("mailpolicy.cli").joinpath("examples.toml").read_text(encoding="utf-8"))
