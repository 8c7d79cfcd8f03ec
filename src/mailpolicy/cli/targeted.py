"""Commands whose arguments and options name targets, which they get as one selection."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

from mailpolicy.cli.selection import targets
from mailpolicy.cli.selection_options import (
    Addresses,
    Domain,
    Everyone,
    InDefaults,
    InTemplate,
    SkipUnknown,
    WithTemplate,
)

_CHOSEN = "chosen"
_Options = dict[str, tuple[Any, object]]  # by parameter: the annotation and the default

_ADDRESSES: _Options = {"texts": (Addresses, None)}
_OF_ACCOUNTS: _Options = {
    "domain": (Domain, None),
    "with_template": (WithTemplate, None),
    "everyone": (Everyone, False),
}
_OF_LAYERS: _Options = {"in_template": (InTemplate, None), "in_defaults": (InDefaults, False)}
_SKIPPING: _Options = {"skip_unknown": (SkipUnknown, False)}


def targeted(function: Callable[..., int], *, layers: bool = False, optional: bool = False) -> Callable[..., int]:
    """Return a command as Typer is to see it: for the parameter `chosen` it has the arguments and options of targets.

    With `layers` a template or the defaults can be the target. With `optional` the function gets None if none is named.
    """
    options = {**_ADDRESSES, **_OF_ACCOUNTS, **(_OF_LAYERS if layers else {}), **_SKIPPING}
    parameters: list[Parameter] = []
    for parameter in signature(function, eval_str=True).parameters.values():
        own = parameter.replace(kind=Parameter.KEYWORD_ONLY)
        parameters += [own] if parameter.name != _CHOSEN else _parameters(options)
    # Arguments first, as on a command line and on its pages.
    parameters.sort(key=lambda each: each.default is not Parameter.empty and each.name not in _ADDRESSES)

    def command(**given: Any) -> int:
        named = {name: given.pop(name) for name in options}
        absent = optional and not any(named.values())
        return function(**given, chosen=None if absent else targets(**named))

    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameters(options: _Options) -> list[Parameter]:
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in options.items()
    ]
