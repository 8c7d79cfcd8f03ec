"""Ask PyPI for known vulnerabilities of the packages in a lock: `python tests/audit.py LOCK`.

Exit status 0: none is known; 1: one is known; 75: not every package could be asked about, so nothing is known. The last fails
too, as a check that passes whenever it is cut off cannot fail. A network without PyPI's vulnerability service says so with
MAILPOLICY_AUDIT_OFFLINE=1: then 75 becomes 0, and the warning stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

KNOWN, UNREACHABLE = 1, 75

# Vulnerabilities that are accepted, by their id, each with the reason.
ACCEPTED: dict[str, str] = {}


def judge(report: str) -> tuple[int, list[str]]:
    """Return the exit status for a report of pip-audit in JSON, and what to print."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return UNREACHABLE, ["no report"]
    # pip-audit itself exits with 0 if it is told nothing about any package.
    skipped = [package for package in packages if "vulns" not in package]
    found = [
        f"{package['name']} {package['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no version'}"
        for package in packages
        for known in package.get("vulns", ())
        if known["id"] not in ACCEPTED
    ]
    said = [f"{package['name']}: not audited: {package['skip_reason']}" for package in skipped[:3]]
    if found:
        return KNOWN, [
            *found,
            *said,
            f"{len(found)} known vulnerabilities: raise the version in pyproject.toml, then make lock",
        ]
    if skipped or not packages:
        return UNREACHABLE, [*said, f"{len(skipped)} of {len(packages)} packages could not be asked about"]
    return 0, [f"{len(packages)} packages, no known vulnerability"]


def main(lock: str) -> int:
    """Audit a lock and print the result."""
    command = ["--require-hashes", "--disable-pip", "--requirement", lock, "--vulnerability-service", "pypi"]
    program = Path(sys.executable).with_name("pip-audit")
    run = subprocess.run(
        [program, *command, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    status, said = judge(run.stdout)
    if status == UNREACHABLE:
        # With a report, pip-audit's own last words may be that nothing was found.
        said += [] if run.stdout else run.stderr.splitlines()[-1:]
        said.append("the vulnerability service of PyPI was not reached: nothing is known; try again")
        if os.environ.get("MAILPOLICY_AUDIT_OFFLINE") == "1":
            said.append("MAILPOLICY_AUDIT_OFFLINE=1: going on WITHOUT an audit")
            status = 0
    print(*(f"{lock}: {line}" for line in said), sep="\n", file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
