"""Annotations as SARIF 2.1.0, for code scanning and for editors.

The log is valid by the OASIS schema. Columns are counted in characters, and the log says so. A fingerprint survives
moved lines, but not a renamed file. Source: SARIF 2.1.0 with errata 01, sections 3.14 to 3.49.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mailpolicy import __version__
from mailpolicy.diagnostics import ERROR, HINT, WARNING, more_findings
from mailpolicy.diagnostics.rules import Rule
from mailpolicy.policy.names import printable
from mailpolicy.render import explanation
from mailpolicy.render.annotation import Annotation

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {ERROR: "error", WARNING: "warning", HINT: "note"}
_ROOT = "%SRCROOT%"  # what relative URIs are relative to; code scanning knows it by this name


def text(
    annotations: Iterable[Annotation],
    rules: Mapping[str, Rule],
    unread: Iterable[tuple[str, str]] = (),
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> str:
    """Return a log of one run with a result for each annotation; `rules` has all their codes.

    `unread` lists files that could not be checked, with the reason; `left_out` counts the results of a file that are
    not shown.
    """
    notifications: list[dict[str, Any]] = [
        {"level": "error", "message": {"text": _plain(why)}, "locations": [{"physicalLocation": _artifact(file)}]}
        for file, why in unread
    ]
    invocation: dict[str, Any] = {"executionSuccessful": not notifications}
    notifications += (
        {
            "level": "warning",
            "message": {"text": more_findings(count)},
            "locations": [{"physicalLocation": _artifact(file)}],
        }
        for file, count in left_out.items()
    )
    if notifications:
        invocation["toolExecutionNotifications"] = notifications
    annotations = list(annotations)
    codes = sorted({note.code for note in annotations})
    driver = {"name": "mailpolicy", "version": __version__, "rules": [_rule(code, rules[code]) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the root of the repository"}}},
        "columnKind": "unicodeCodePoints",
        "results": _results(annotations, codes),
        "properties": {"findingsLeftOut": sum(left_out.values())},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    # ASCII, whatever the encoding of stdout; in a log of GitHub's ##[ is a command to the runner.
    return json.dumps(log, indent=2).replace("##[", "##\\u005b") + "\n"


def _rule(code: str, rule: Rule) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": explanation.text(code, rule), "markdown": explanation.markdown(code, rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _results(annotations: Iterable[Annotation], codes: list[str]) -> list[dict[str, Any]]:
    from hashlib import sha256

    results = []
    index = {code: position for position, code in enumerate(codes)}
    seen: dict[tuple[str, ...], int] = {}
    for note in annotations:
        same = (note.code, note.file, note.identity or note.message)
        seen[same] = seen.get(same, 0) + 1
        fingerprint = sha256("\0".join((*same, str(seen[same]))).encode("utf-8", "surrogatepass")).hexdigest()
        results.append(
            {
                "ruleId": note.code,
                "ruleIndex": index[note.code],
                "level": _LEVELS[note.severity],
                "message": {"text": _plain(note.message)},
                "locations": [
                    {
                        "physicalLocation": {
                            **_artifact(note.file),
                            "region": {"startLine": note.line, "startColumn": note.column},
                        }
                    }
                ],
                "partialFingerprints": {"mailpolicyKey/v1": fingerprint},
            }
        )
    return results


def _plain(text: str) -> str:
    """Return `text` made printable, without a sequence that SARIF reads as a link (3.11.6)."""
    return printable(text).replace("](", "] (")


def _artifact(file: str) -> dict[str, Any]:
    """Return the location of a file: relative to the root of the sources, or absolute."""
    from urllib.parse import quote

    uri = quote(os.fsencode(file))
    if os.path.isabs(file):
        return {"artifactLocation": {"uri": f"file://{uri}"}}
    return {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}}
