"""What the tools of a review need to know of a finding: where its file lies in the repository, and what it is about.

Promises: a path below the repository's root is relative to it, as GitHub, GitLab and SARIF viewers want it, in whichever
directory the command runs; any other stays as it was given.
"""

from __future__ import annotations

import os

from mailpolicy.diagnostics import Finding, dotted
from mailpolicy.render.annotation import Annotation


def path(name: str) -> str:
    """The path of a file for a review: relative to the repository that the working directory is in."""
    if name == "-":
        return name
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return name
    root = here
    while not os.path.lexists(os.path.join(root, ".git")):  # a directory, or a file in a worktree
        root, below = os.path.dirname(root), root
        if root == below:
            root = here
            break
    whole = os.path.normpath(os.path.join(here, name))
    inside = os.path.relpath(whole, root)
    return whole if inside.startswith(os.pardir + os.sep) else inside


def annotation(finding: Finding) -> Annotation:
    """A finding of a store as an annotation; lines may move and counts change, and it keeps its identity."""
    problem = finding.problem
    named = problem.path and not any(isinstance(part, int) for part in problem.path)  # an index moves with the lines
    return Annotation(
        problem.code,
        problem.severity,
        path(finding.file),
        finding.line,
        finding.column,
        problem.message,
        dotted(problem.path) if named else finding.source or "",  # a sentence about a line may name another line
    )
