"""Findings as annotations for review tools, with paths relative to the repository.

GitHub, GitLab and SARIF viewers match paths relative to the repository's root, whichever directory the command runs in.
A path outside the repository is left as it was given.
"""

from __future__ import annotations

import os

from mailpolicy.diagnostics import Finding, dotted
from mailpolicy.render.annotation import Annotation


def path(name: str) -> str:
    """Return the path of a file relative to the repository that contains the working directory."""
    if name == "-":
        return name
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return name
    root = here
    # Finding .git takes no git, which may not be installed where a report is made.
    while not os.path.lexists(os.path.join(root, ".git")):  # a directory, or a file in a worktree
        root, below = os.path.dirname(root), root
        if root == below:
            root = here
            break
    absolute = os.path.normpath(os.path.join(here, name))
    relative = os.path.relpath(absolute, root)
    return absolute if relative.startswith(os.pardir + os.sep) else relative


def annotation(finding: Finding) -> Annotation:
    """Return a finding as an annotation whose identity does not change if lines move."""
    problem = finding.problem
    named = problem.path and not any(
        isinstance(part, int) for part in problem.path
    )  # an index changes if an entry is added above
    return Annotation(
        problem.code,
        problem.severity,
        path(finding.file),
        finding.line,
        finding.column,
        problem.message,
        dotted(problem.path) if named else finding.source or "",  # a sentence about a line may name another line
    )
