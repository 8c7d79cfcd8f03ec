"""The documentation pages: every link leads somewhere, and every file and function that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers import ROOT

SOURCE = ROOT / "src" / "mailpolicy"
PAGES = [ROOT / "README.md", ROOT / "DEVELOPING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
ABOUT_THE_CODE = [ROOT / "DEVELOPING.md", ROOT / "docs" / "design.md"]


def name_of(page: Path) -> str:
    return page.name


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", ABOUT_THE_CODE, ids=name_of)
def test_every_file_exists(page: Path) -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md))(?:::\w+)?`", prose(page)))
    paths = {name for name in named if not re.search("NAME|SUBJECT", name)}
    assert len(paths) > 20
    assert not [name for name in paths if not (ROOT / name).exists() and not (SOURCE / name).exists()]


@pytest.mark.parametrize("page", ABOUT_THE_CODE, ids=name_of)
def test_every_name_of_the_code_exists(page: Path) -> None:
    """`Class.method`, `function()`, `any_name`, `CONSTANT`: a reader would search for them in vain."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in (SOURCE, ROOT / "tests", ROOT / "docs")
        for path in folder.rglob("*.py")
        if path.name != Path(__file__).name
    )
    spelled = re.findall(r"`(\w*_\w+(?:\.\w+)?|[A-Z]\w*[a-z]\w*(?:\.\w+)?|[A-Z]{3,}|\w+\(\w*\))`", prose(page))
    names = {part for name in spelled for part in re.sub(r"\(.*", "", name).split(".")}
    assert len(names) > 10
    assert not [name for name in names if not re.search(rf"\b{name}\b", code)]
