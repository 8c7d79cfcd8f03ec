"""What review tools read out of a log."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.helpers import TESTS

STORES = sorted(path for folder in ("invalid", "advice") for path in (TESTS / folder).glob("*.toml"))


def commands(output: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner of GitHub Actions makes of a log: lines end at CR or LF, a command begins with two colons."""
    found = []
    for line in re.split("\r\n|\r|\n", output):
        if match := re.match("[ \t]*::([a-z-]+)(?: (.*?))?::(.*)", line, re.DOTALL):
            listed = [pair.partition("=") for pair in (match[2] or "").split(",") if pair]
            found.append((match[1], {key: _unescaped(value) for key, _, value in listed}, _unescaped(match[3])))
        else:
            assert not line.strip(), "nothing but commands"
    return found


def _unescaped(text: str) -> str:
    for escape, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def results(log: str) -> list[dict[str, Any]]:
    return json.loads(log)["runs"][0]["results"]  # type: ignore[no-any-return]
