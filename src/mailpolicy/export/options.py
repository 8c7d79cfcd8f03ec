"""Parse the options of an export, from the command line or from host.toml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from mailpolicy.errors import Command, Refused
from mailpolicy.export import TARGETS, Target
from mailpolicy.export.dovecot import SERVICES
from mailpolicy.export.request import DIALECTS, MAPS, STRATEGIES, VERSIONS, Options
from mailpolicy.policy import names
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import GOVERNABLE
from mailpolicy.system.files import read_regular

_CHOICES = {"dialect": DIALECTS, "dovecot": VERSIONS, "strategy": STRATEGIES, "map": MAPS, "postmap": MAPS[1:]}
_TOKEN = re.compile(r"[A-Za-z0-9._-]{16,128}")


class OptionRejected(ValueError):
    """An option that the target does not have, or an invalid value; `option` is its name, the text says why."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def target_named(name: str) -> Target:
    """Return the target of that name, or raise OptionRejected."""
    if name in TARGETS:
        return TARGETS[name]
    suggestion = nearest(name, TARGETS)
    hint = f", did you mean {suggestion}?" if suggestion else ""
    raise OptionRejected("target", f"no export target {name[:60]!a}{hint or ': choose ' + ', '.join(TARGETS)}")


def parse_options(name: str, given: Mapping[str, Any]) -> Options:
    """Return the options of a target from `given`, which has the names of host.toml.

    Raise OptionRejected, StoreError or Refused.
    """
    target = target_named(name)
    for option in given:
        if option not in target.options:
            takes = ", ".join(sorted(target.options)) or "none"
            raise OptionRejected(
                option,
                f"the target {name} has no option {option.replace('_', '-')}; its options: {takes.replace('_', '-')}",
            )
    for option in sorted(target.required - given.keys()):
        what = "the path of its data file" if option == "data" else f"one of {', '.join(_CHOICES[option])}"
        raise OptionRejected(option, f"the target {name} needs {option}, {what}")
    for option, value in given.items():
        if type(value) is not str:
            raise OptionRejected(option, f"{option} must be a string")
        if option in _CHOICES and value not in _CHOICES[option]:
            raise OptionRejected(option, f"{option} must be {' or '.join(_CHOICES[option])}, not {value!a}")
    chosen: dict[str, Any] = {
        key: value
        for key, value in given.items()
        if key in ("dialect", "dovecot", "strategy", "data", "map", "sender_login")
    }
    if "token_file" in given:
        chosen["token"] = _token(given["token_file"])
    if "default_domain" in given:
        chosen["default_domain"] = _checked("default_domain", names.domain_name, given["default_domain"])
    if "smtp" in given:
        chosen["smtp"] = _smtp(given["smtp"])
    if "source" in given:
        address, _, source = given["source"].rpartition("/")
        chosen["source"] = (
            _checked("source", names.account_address, address),
            _checked("source", names.source_name, source),
        )
    return Options(**chosen)


def explain_lock(value: Any) -> tuple[str, Command]:
    """Return what replaces the former option `lock`, which closed services of Dovecot to suspended accounts.

    The command is safe in every store: it is refused, with the grant to make first, if nobody could use the service.
    """
    listed = value if isinstance(value, list) else str(value).split(",")
    services = list(
        dict.fromkeys(SERVICES[name] for name in listed if name in SERVICES and SERVICES[name].facts.optional)
    )
    wanted = [str(service) for service in services or GOVERNABLE[:1]]
    steps = [f"{service} on --in-defaults" for service in wanted]
    govern = ("server", "govern", *wanted)
    return (
        f"lock is no longer an option, as the store itself governs sending: unless it governs {names.joined(wanted)} "
        f"already, {', then '.join([*steps, ' '.join(govern)])}"
    ), ("mailpolicy", *govern)


def _checked(option: str, check: Any, text: str) -> str:
    try:
        checked: str = check(text)
    except names.NameRejected as error:
        raise OptionRejected(option, str(error)) from None
    return checked


def _smtp(text: str) -> str:
    host, _, port = text.partition("/")
    _checked("smtp", names.host_name, host)
    if port and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise OptionRejected("smtp", f"smtp must be HOST or HOST/PORT, not {text!a}")
    return text if port else f"{host}/25"


def _token(path: str) -> str:
    """Return the token in a file. Raise OptionRejected, StoreError, or Refused if others can read the file."""
    text = read_regular(path).decode("utf-8", "replace").removesuffix("\n")
    if os.stat(path).st_mode & 0o004:
        fix = ("chmod", "o-r", path)
        raise Refused("this token can be read by everybody", file=path, code="unsafe", fix=fix)
    if not _TOKEN.fullmatch(text):
        raise OptionRejected(
            "token_file", f"{path}: a token has 16 to 128 letters or digits; to make one: openssl rand -hex 16"
        )
    return text
