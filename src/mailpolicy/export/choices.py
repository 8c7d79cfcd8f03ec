"""From the words of the command line or of host.toml to the options of an export, each checked.

Promises: an option that the target does not take, or a value that it cannot use, is refused with what to write instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from mailpolicy.errors import Refused
from mailpolicy.export import TARGETS, Target
from mailpolicy.export.request import LOCKABLE, MAPS, STRATEGIES, VERSIONS, Options
from mailpolicy.policy import names
from mailpolicy.policy.nearest import nearest
from mailpolicy.system.files import read_regular

_CHOICES = {"dovecot": VERSIONS, "strategy": STRATEGIES, "map": MAPS, "postmap": MAPS[1:]}
_TOKEN = re.compile(r"[A-Za-z0-9._-]{16,128}")


class ChoiceRejected(ValueError):
    """An option that is not there or has a value it may not have; `option` is its name, the text says why."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def target_named(name: str) -> Target:
    """The target of that name. Raises ChoiceRejected."""
    if name in TARGETS:
        return TARGETS[name]
    meant = nearest(name, TARGETS)
    hint = f", did you mean {meant}?" if meant else ""
    raise ChoiceRejected("target", f"there is no target {name[:60]!a}{hint or ': choose ' + ', '.join(TARGETS)}")


def options(name: str, given: Mapping[str, Any]) -> Options:
    """The options that `given` stands for, by the names of host.toml. Raises ChoiceRejected, StoreError and Refused."""
    target = target_named(name)
    for option in given:
        if option not in target.options:
            takes = ", ".join(sorted(target.options)) or "none"
            raise ChoiceRejected(option, f"the target {name} takes no {option}, its options are: {takes}")
    for option in sorted(target.required - given.keys()):
        raise ChoiceRejected(option, f"the target {name} needs {option}: where its data file will lie")
    for option, value in given.items():
        wanted = list if option == "lock" else str
        if type(value) is not wanted or (wanted is list and not all(type(item) is str for item in value)):
            raise ChoiceRejected(option, f"{option} must be {'an array of strings' if wanted is list else 'a string'}")
        if option in _CHOICES and value not in _CHOICES[option]:
            raise ChoiceRejected(option, f"{option} is {' or '.join(_CHOICES[option])}, not {value!a}")
    chosen: dict[str, Any] = {
        key: value for key, value in given.items() if key in ("dovecot", "strategy", "data", "map", "sender_login")
    }
    if "lock" in given:
        chosen["lock"] = _locked(given["lock"])
    if "token_file" in given:
        chosen["token"] = _token(given["token_file"])
    if "default_domain" in given:
        chosen["default_domain"] = _checked("default_domain", names.domain_name, given["default_domain"])
    if "smtp" in given:
        chosen["smtp"] = _smtp(given["smtp"])
    if "source" in given:
        address, _, source = given["source"].rpartition("/")
        wanted_source = (
            _checked("source", names.account_address, address),
            _checked("source", names.source_name, source),
        )
        chosen["source"] = wanted_source
    return Options(**chosen)


def _checked(option: str, check: Any, text: str) -> str:
    try:
        checked: str = check(text)
    except names.NameRejected as error:
        raise ChoiceRejected(option, str(error)) from None
    return checked


def _locked(services: list[str]) -> tuple[str, ...]:
    for service in services:
        if service not in LOCKABLE:
            raise ChoiceRejected("lock", f"lock is one or more of {', '.join(LOCKABLE)}, not {service!a}")
    return tuple(service for service in LOCKABLE if service in services)


def _smtp(text: str) -> str:
    host, _, port = text.partition("/")
    _checked("smtp", names.host_name, host)
    if port and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise ChoiceRejected("smtp", f"smtp is HOST or HOST/PORT, not {text!a}")
    return text if port else f"{host}/25"


def _token(path: str) -> str:
    """The installation's token. Raises ChoiceRejected, StoreError, and Refused where others can read it."""
    text = read_regular(path).decode("utf-8", "replace").removesuffix("\n")
    if os.stat(path).st_mode & 0o004:
        fix = ("chmod", "o-r", path)
        raise Refused("everybody can read this token", file=path, code="unsafe", fix=fix)
    if not _TOKEN.fullmatch(text):
        raise ChoiceRejected("token_file", f"{path}: a token is 16 to 128 letters and digits: openssl rand -hex 16")
    return text
