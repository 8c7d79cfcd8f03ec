"""The documentation pages as programs: their blocks, and a folder in which the blocks of a page run in order.

A block of the kind `sh` must succeed. One of the kind `console` has commands behind `$ ` and below each its output, which must be
the same. Blocks of other kinds (`toml`, `yaml`, `text`, `crontab`, `sql`) are files or help texts and are not run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pexpect

from tests.helpers import EXAMPLE, ROOT

PAGES = (
    "README.md",
    "DEVELOPING.md",
    "SECURITY.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
)
PASSWORD = "a word on the page"
_FENCED = re.compile(r"^(?P<indent> *)```(?P<kind>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_HEADING = re.compile(r"^##+ (.*)$", re.M)
# Places of a real machine, which are in the test's folder instead.
_PLACES = re.compile(r"(?<![\w/])/(?:etc/mailpolicy|run/secrets|var/lib/mailpolicy|var/log)\b")


class Block(NamedTuple):
    """A fenced block, the heading above it, and the line on which it begins."""

    page: str
    line: int
    heading: str
    kind: str
    indent: str
    text: str

    @property
    def first(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]

    @property
    def where(self) -> str:
        """The place for messages."""
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is for a shell."""
        return self.kind in ("sh", "console")

    def showing(self, outputs: Iterable[str]) -> str:
        """Return the text of a console block with these outputs of its commands, indented as on the page."""
        pairs = zip(shown(self), outputs, strict=True)
        return textwrap.indent("".join(f"$ {command.command}\n{output}" for command, output in pairs), self.indent)


class Shown(NamedTuple):
    """A command of a console block and the output shown below it."""

    command: str
    output: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(_FENCED.sub(_blank, text))]
    for found in _FENCED.finditer(text):
        above = [heading for start, heading in headings if start < found.start()]
        line = text.count("\n", 0, found.start()) + 1
        yield Block(
            page, line, above[-1] if above else "", found["kind"], found["indent"], textwrap.dedent(found["text"])
        )


def shown(block: Block) -> list[Shown]:
    """Return the commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.M)
    assert parts[0] == "", f"{block.where}: a console block begins with a command"
    return [Shown(*part.split("\n", 1)) for part in parts[1:]]


def same_run(on_page: str, output: str) -> bool:
    """Return whether an output differs from the one on the page only in what every run has of its own: time, id and user."""
    return _every_time(on_page) == _every_time(output)


def _every_time(output: str) -> str:
    output = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t[0-9a-f]{10}\t[^\t]+", "TIME\tID\tUSER", output)
    return re.sub(r"\b[0-9a-f]{10}(?= \(mailpolicy )|(?<=mailpolicy undo )[0-9a-f]{10}", "ID", output)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


class Folder:
    """A machine in a folder: a shell in which the blocks run as they stand, but for where the places are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.output = root / "output"
        for place in ("etc/mailpolicy", "run/secrets", "var/lib/mailpolicy", "var/log", "work"):
            (root / place).mkdir(parents=True)
        shutil.copy(EXAMPLE, self.work)
        self.environment = {
            "HOME": str(self.work),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TERM": "xterm",
            "MAILPOLICY_FILE": "accounts.toml",
            "MAILPOLICY_HOST_CONFIG": str(root / "etc/mailpolicy/host.toml"),
            "MAILPOLICY_NO_CACHE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "a@acme.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def run(self, page: list[Block], before: Mapping[str, str]) -> list[list[str]]:
        """Run blocks in one shell; `before` has what happens between them, by the first line of the next block.

        Return for each block the outputs of the commands whose output it shows.
        """
        unused = before.keys() - {block.first for block in page} - {""}
        assert not unused, f"no block begins with {unused}"
        script = [
            "s=0",
            "trap '[ $? = 0 ] || echo failed: $at' EXIT",
            self._required(before.get("", ""), "before the page"),
        ]
        for block in page:
            script.append(self._required(before.get(block.first, ""), f"before {block.where}"))
            if block.kind == "sh":
                script.append(self._required(block.text, block.where))
            else:
                script += map(self._observed, shown(block))
        self._shell("\n".join(script))
        outputs = self.output.read_text(encoding="utf-8").replace("\r\n", "\n").replace(str(self.root), "")
        one_by_one = iter(outputs.split("\0")[:-1])
        return [[next(one_by_one) for _ in (shown(block) if block.kind == "console" else ())] for block in page]

    def _required(self, text: str, where: str) -> str:
        """Script lines that end the shell if a command of `text` fails."""
        return f"at={shlex.quote(where)}\nset -e -o pipefail\n{self._placed(text)}\nset +e +o pipefail"

    def _observed(self, shown: Shown) -> str:
        """Script lines that keep the output of a command; one that asks somebody has a terminal."""
        command = self._placed(shown.command)
        kept = f"> {self.output}.part 2>&1"
        if "[y/N" in shown.output:
            command, kept = f"script --quiet --return --command {shlex.quote(command)} {self.output}.part", ""
            # Without the lines of `script` itself: one above, an empty one and one below.
            keep = f"sed '1d; $d' {self.output}.part | sed '$d'"
        else:
            keep = f"cat {self.output}.part"
        return f"(exit $s)\n{{ {command}\n}} {kept}\ns=$?\n{{ {keep}; printf '\\0'; }} >> {self.output}"

    def _placed(self, text: str) -> str:
        return _PLACES.sub(lambda place: f"{self.root}{place[0]}", text)

    def _shell(self, script: str) -> None:
        """Run a script at a terminal, with somebody who types the password, says yes and leaves the pager."""
        (self.root / "script").write_text(script, encoding="utf-8")
        self.output.touch()
        told, status = pexpect.run(
            shlex.join(["bash", str(self.root / "script")]),
            cwd=str(self.work),
            env=self.environment,
            events={
                r"(?:password for [^\n:]*|once more): $": f"{PASSWORD}\n",
                r"\[y/N\]: $|\[y/N/e\] $": "y\n",
                ":\x1b\\[K$": "q",
            },
            encoding="utf-8",
            withexitstatus=True,
            timeout=120,
        )
        assert status == 0, f"{told}\n{self.output.read_text(encoding='utf-8')}"
