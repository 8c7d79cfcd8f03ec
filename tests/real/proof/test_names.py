"""Hostile names: wherever a name comes in, it is refused or shown escaped, and every output is what it claims to be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailpolicy.cli.context import OPTIONS
from tests.real.proof.leaks import hostile
from tests.real.proof.leaks.forks import Forks, Ran, forking
from tests.real.proof.leaks.rows import COMMANDS, ROWS, Row
from tests.real.proof.leaks.site import ALICE, SEALED, Site, environment
from tests.real.proof.leaks.slots import SLOTS, written
from tests.real.proof.promises import Promise, Tried, scaled

# The output is a file of another program, which needs a name as it is.
FILES = ("export", "account export", "schema")


class Named:
    """Runs with hostile names on a machine."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.site = Site(folder / "site", "ASCII", SEALED)
        self.plain = self.site.copy(folder / "plain")
        self.place = folder / "place"
        self.forks = forks

    def fresh(self) -> None:
        """Take back what runs have done."""
        self.site.copy(self.plain)
        self.site.copy(self.place)

    def run(self, words: list[str], form: str, stdin: str = "", place: Path | None = None, **variables: str) -> Ran:
        """Run a command line in a folder, in a form; the machine's host.toml is in its plain folder."""
        place = place or self.place
        here = environment(place) | variables
        named = ["--file", str(place / "accounts.toml"), "--host-config", str(self.plain / "host.toml")]
        if form == "workflow":
            here["GITHUB_ACTIONS"] = "true"
        if words[0] == "completion":  # it has no options but those of the line that is completed
            here |= {"MAILPOLICY_FILE": named[1], "MAILPOLICY_HOST_CONFIG": named[3]}
        more = {"text": [], "workflow": [], "screen": [], "verbose": ["--verbose"]}.get(form, ["--format", form])
        stdin = stdin.format(given_json='"x"', given="x", listed="x") if stdin else ""
        # Options at the end would be arguments behind `--`.
        line, given = [*named, *more, *words], stdin.encode("utf-8", "surrogateescape")
        if form == "screen":
            return self.forks.on_screen(line, place, here | {"NO_COLOR": "1", "TERM": "xterm", "PAGER": "cat"}, given)
        return self.forks.run(line, place, here, stdin=given)

    def judge(
        self, case: object, ran: Ran, form: str, command: str = "", *, dry: bool = False, given: str = ""
    ) -> None:
        """The bar: what is printed is safe and can be parsed, no name was run by a shell, and every outcome is a planned one."""
        if command in ("completion", "help") and form == "json":
            form = "text"  # they have no other
        syslog, self.forks.syslog = self.forks.syslog, b""
        # The diff of a dry run is one for `patch`, unless it is shown to somebody.
        is_file = ran.status == 0 and (command in FILES or dry) and form not in ("screen", "workflow")
        found = hostile.problems(ran.out, ran.err, form, is_file=is_file)
        found += [f"syslog has {hostile.unsafe(syslog.decode())}"] * bool(
            set(hostile.unsafe(syslog.decode())) - {"U+0000"}
        )
        for folder in (self.place, self.plain):
            log = folder / "accounts.toml.log"
            if given != log.name and log.exists() and (wrong := hostile.unsafe(log.read_text(encoding="utf-8"))):
                found.append(f"the journal has {wrong}")
            if (folder / "owned").exists():
                found.append("a shell has run a name")
        if not 0 <= ran.status <= 8 and ran.status not in (74, 75):
            found.append(f"exit {ran.status}")
        assert not found, (found, case, ran)


@pytest.fixture
def named(tmp_path: Path, quick: Path) -> Iterator[Named]:
    with forking(tmp_path / "forks") as forks:
        yield Named(quick, forks)


SHARDS = range(scaled(4, 1))
FORMS = ("text", "json", "screen", "workflow", "verbose")


def arguments() -> Iterator[tuple[Row, list[str]]]:
    """Yield each command with a name in each of its places, `None` standing for it: arguments, options and one too many."""
    for command in COMMANDS:
        row = next(row for row in reversed(ROWS) if row.command == command)
        words, start = row.words, len(command.split())
        for position in range(start, len(words)):
            if not words[position].startswith("-"):
                yield row, [*words[:position], "{}", *words[position + 1 :]]
        yield row, [*words, "{}"]
        yield row, [*words[:start], "--", "{}"]
        for option, (metavar, _) in row.options.items():
            if metavar is not None:
                yield row, [*words, f"{option}={{}}" if option.startswith("--") else f"{option}{{}}"]
    for option, (metavar, _) in OPTIONS.items():
        if metavar is not None and option != "--format":
            yield Row("account list"), ["account", "list", f"{option}={{}}"]
    yield Row("version"), ["{}"]
    yield Row("version"), ["account", "{}"]


@pytest.mark.parametrize("shard", SHARDS)
def test_arguments(named: Named, shard: int, tried: Tried) -> None:
    """Every argument and every option of every command."""
    number = 0
    names = list(hostile.NAMES.items())
    named.fresh()
    for index, (row, words) in enumerate(arguments()):
        if index % scaled(1, 5):
            continue
        kind, name = names[(index * 5 + shard * 11) % len(names)]
        form = FORMS[(index + shard) % len(FORMS)]
        filled = [word.replace("{}", name) for word in words]
        if "--format" in words or "--help" in filled:
            form = "text"  # what the row says, or a page for people
        ran = named.run(filled, form, row.stdin)
        named.judge((kind, form, words), ran, form, row.command)
        number += 1
    tried(Promise.NAMES, number, "arguments of commands")


FOLDERS = [kind for kind, name in hostile.NAMES.items() if "/" not in name and len(name) < 200]


@pytest.mark.parametrize("shard", SHARDS)
def test_file_names(named: Named, shard: int, tried: Tried) -> None:
    """Every command in a folder of that name, all of whose files it names: it does what it does in any other folder."""
    number = 0
    for index, row in enumerate(ROWS):
        if index % scaled(len(SHARDS), 6) != shard:
            continue
        kind = FOLDERS[(index + shard) % len(FOLDERS)]
        _, form = _own_form(row.words, FORMS[(index // 3 + shard) % len(FORMS)])
        usual = _in(named, named.place, row, form)
        odd = named.place.with_name("odd") / hostile.NAMES[kind]
        odd.parent.mkdir(exist_ok=True)
        ran = _in(named, odd, row, form)
        named.judge(
            (kind, form, row.line, odd), ran, form, row.command, dry=bool({"--dry-run", "--diff"} & {*row.words})
        )
        # A path that a format cannot express is refused, and a table is as wide as its terminal.
        if not (row.command == "export" and ran.status == 5):
            assert ran.status == usual.status, (kind, form, row, ran, usual)
            assert form == "screen" or ran.out.count(b"\n") == usual.out.count(b"\n"), (kind, form, row, ran, usual)
        number += 1
    tried(Promise.NAMES, number, "folders, with every command in them")


def _own_form(words: list[str], form: str) -> tuple[list[str], str]:
    """Return the form that a command line names, and the rest of it."""
    if "--format" not in words:
        return words, form
    at = words.index("--format")
    return words[:at] + words[at + 2 :], words[at + 1]


def _in(named: Named, folder: Path, row: Row, form: str) -> Ran:
    named.fresh()
    named.site.copy(folder)
    words = [str(folder / word) if (named.site.folder / word).is_file() else word for word in row.words]
    return named.run(words, form, row.stdin, folder)


@pytest.mark.parametrize("shard", SHARDS)
def test_names_in_files(named: Named, shard: int, tried: Tried) -> None:
    """Every place in every file where a name stands, shown by every command that reads it."""
    number = 0
    names = list(hostile.NAMES.items())
    pairs = [(slot, line) for slot in SLOTS for line in slot.lines]
    for index, (slot, line) in enumerate(pairs):
        if index % scaled(len(SHARDS), 9) != shard:
            continue
        kind, name = names[(index * 7 + shard * 5) % len(names)]
        form = FORMS[(index // 2 + shard) % len(FORMS)]
        named.fresh()
        path = (named.plain if slot.file == "host.toml" else named.place) / slot.file
        content = path.read_bytes()
        old = slot.old.replace("{{", "{").replace("}}", "}").encode()
        assert old in content, slot
        path.write_bytes(content.replace(old, written(slot, name)))
        words, form = _own_form(shlex.split(line), form)
        ran = named.run(words, form)
        named.judge(
            (kind, form, slot, line),
            ran,
            form,
            Row(line).command,
            dry=bool({"--dry-run", "--diff"} & {*words}),
            given=slot.file,
        )
        number += 1
    tried(Promise.NAMES, number, "places in stores, journals, plans, cases, logs and host.toml")


def test_who_edits(named: Named, tried: Tried) -> None:
    """Whoever runs sudo may be called anything: in the journal, in syslog, in `log`."""
    number = 0
    for kind, name in list(hostile.NAMES.items())[:: scaled(1, 9)]:
        if "\0" in name:
            continue
        named.fresh()
        for line in (f"pop off {ALICE}", "log", "undo", "log --verbose"):
            for form in FORMS[: scaled(4, 2)]:
                ran = named.run(shlex.split(line), form, SUDO_USER=name, SUDO_UID="1000", SUDO_GID="1000")
                named.judge((kind, form, line), ran, form)
                number += 1
    tried(Promise.NAMES, number, "commands of sudo users")
