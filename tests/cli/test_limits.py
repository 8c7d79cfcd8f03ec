"""Inputs that are made to take long: looked at in one pass, capped, and said so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mailpolicy.diagnostics import MAX_FINDINGS_SHOWN
from mailpolicy.policy.names import MAX_LINE_BYTES
from mailpolicy.policy.nearest import MAX_GUESSES
from mailpolicy.store import locate, schema
from mailpolicy.store.store import Store
from mailpolicy.system.files import MAX_FILE_SIZE, MAX_STORE_SIZE
from tests.helpers import Run
from tests.readers import growth


def work(tree: dict[str, object]) -> int:
    """The number of Python calls that judging a store takes, which is the same in every run."""
    count = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        schema.validate(tree)
    finally:
        sys.setprofile(before)
    return count


def unknown_templates(count: int) -> dict[str, object]:
    templates: dict[str, object] = {f"template{number * 7919:x}": {} for number in range(count // 2)}
    accounts = {f"u{number}@x.example": {"template": f"tempalte{number * 7907:x}"} for number in range(count)}
    return {"version": 1, "templates": templates, "accounts": accounts}


def unknown_keys(count: int) -> dict[str, object]:
    return {"version": 1, "server": {f"pop_lan_onyl_{number}": True for number in range(count)}}


def unknown_tables(count: int) -> dict[str, object]:
    return {"version": 1, **{f"sever{number}": {} for number in range(count)}}


@pytest.mark.parametrize("made", [unknown_templates, unknown_keys, unknown_tables])
def test_names_are_guessed_for_the_first_problems_only(made: object) -> None:
    """Four times the problems: not even four times the work, as most of it is for the first ones."""
    few, many = made(4 * MAX_GUESSES), made(16 * MAX_GUESSES)  # type: ignore[operator]
    assert work(many) < 4 * work(few)
    problems = schema.validate(many).problems
    assert len(problems) == 16 * MAX_GUESSES
    assert not any("did you mean" in problem.message for problem in problems[MAX_GUESSES:])


def test_a_guess_does_not_compare_very_long_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(f"version = 1\n{'a' * 1_000_000} = 1\n[templates.{'b' * 1_000_000}]\n")
    found = run("validate", "accounts.toml")
    assert found.status == 1
    assert len(found.out) < 1000


def many_findings(count: int) -> str:
    """Warnings first, then errors: none of these is left out for one of those."""
    warnings = "".join(f'[templates.t{number}]\n[accounts."a{number}@x.example"]\n' for number in range(1))
    return (
        "version = 1\n[server]\nlan = ["
        + ", ".join(f'"203.0.{number // 256}.{number % 256}"' for number in range(count))
        + "]\n"
        + warnings
        + "".join(f"u{number} = 1\n" for number in range(10))
    )


def test_findings_are_capped_in_every_form_and_all_count(run: Run, tmp_path: Path) -> None:
    total = MAX_FINDINGS_SHOWN + 500 + 10  # and the templates and missing keys
    (tmp_path / "accounts.toml").write_text(many_findings(MAX_FINDINGS_SHOWN + 500))
    text = run("validate", "accounts.toml")
    assert text.status == 1
    lines = text.out.splitlines()
    assert len(lines) == MAX_FINDINGS_SHOWN
    assert sum("error[" in line for line in lines) == 10
    assert [int(line.split(":")[1]) for line in lines] == sorted(int(line.split(":")[1]) for line in lines)
    file = json.loads(run("validate", "accounts.toml", "--json").out)["files"][0]
    left_out = file["findings_left_out"]
    assert len(file["findings"]) == MAX_FINDINGS_SHOWN
    assert left_out >= total - MAX_FINDINGS_SHOWN
    told = f"{left_out} more findings not shown"
    assert told in text.err
    assert f"{MAX_FINDINGS_SHOWN + left_out - 10} warnings" in text.err
    sarif = json.loads(run("validate", "accounts.toml", "--format", "sarif").out)["runs"][0]
    assert len(sarif["results"]) == MAX_FINDINGS_SHOWN
    assert sarif["properties"] == {"findingsLeftOut": left_out}
    assert sarif["invocations"][0]["executionSuccessful"] is True
    assert sarif["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == told
    github = run("validate", "accounts.toml", "--format", "github").out
    assert len(github.splitlines()) == MAX_FINDINGS_SHOWN + 1
    assert told in github
    junit = run("validate", "accounts.toml", "--format", "junit").out
    assert junit.count("<testcase") == MAX_FINDINGS_SHOWN + 1
    assert told in junit


def test_what_is_left_out_counts(run: Run, tmp_path: Path) -> None:
    """A warning that is not shown makes `--strict` fail as the others do."""
    (tmp_path / "accounts.toml").write_text(
        many_findings(MAX_FINDINGS_SHOWN + 5).replace("u0", "# u0").split("u1 =")[0]
    )
    assert run("validate", "accounts.toml").status == 0
    assert run("validate", "accounts.toml", "--strict").status == 1


def test_other_commands_cap_the_errors_of_a_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(
        "version = 1\n" + "".join(f"u{n} = 1\n" for n in range(MAX_FINDINGS_SHOWN + 7))
    )
    refused = run("--file", "accounts.toml", "account", "list")
    assert refused.status == 3
    assert f"the store has {MAX_FINDINGS_SHOWN + 7} errors (7 more findings not shown)" in refused.err
    assert refused.err.count("error[MP005]") == MAX_FINDINGS_SHOWN
    answer = json.loads(run("--file", "accounts.toml", "account", "list", "--json").out)
    assert (len(answer["findings"]), answer["findings_left_out"]) == (MAX_FINDINGS_SHOWN, 7)
    (tmp_path / "cases.toml").write_text("".join("[[case]]\n" for _ in range(MAX_FINDINGS_SHOWN)))
    (tmp_path / "accounts.toml").write_text("version = 1\n")
    refused = run("--file", "accounts.toml", "test", "cases.toml", "--json")
    assert refused.status == 2
    assert len(json.loads(refused.out)["findings"]) == MAX_FINDINGS_SHOWN
    assert json.loads(refused.out)["findings_left_out"] == 2 * MAX_FINDINGS_SHOWN


# Where a pattern that backtracks, or one that begins anew at each place, takes minutes; ended by the `program` fixture.
STAMPS = ("Nov 27 13:00:00 ", "2026-11-27T13:00:00.123+01:00 ", "<30>Nov 27 13:00:00 ", "host | ", "a ", "message ")


@pytest.mark.parametrize("repeated", STAMPS)
def test_a_log_line_of_repeated_parts(repeated: str, program: Run, store: Path) -> None:
    line = repeated * (60_000 // len(repeated))
    for end in ("imap-login: x", "imap-login: Login: user=<a@b>", "-login: ", ""):
        log = f"{line}{end}\n" * 10 + "alice@example.com pop 10.0.0.1\n"
        result = program("--file", str(store), "replay", "-", stdin=log)
        assert result.status == 0
        assert "0 of 1 login would be refused" in result.err


@pytest.mark.parametrize(
    ("filler", "place"),
    [
        ("# " + ("1" * 4299 + "x") * 350 + "\n", "3:12"),
        ("# " + ("1_" * 4000 + "x") * 200 + "\n", "3:12"),
        ("# " + "=1" * 700_000 + "\n", "3:12"),
        ("x" + "y" * 500_000 + " = 1\n", "3:12"),
    ],
    ids=["runs", "underscores", "signs", "key"],
)
def test_the_place_of_an_integer_that_is_too_long(filler: str, place: str, program: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(f"version = 1\n{filler}version = [{'1' * 5000}]\n")
    found = program("validate", "accounts.toml")
    assert found.status == 1
    assert f"accounts.toml:{place}: error[MP002]: an integer of 5000 digits" in found.out


@pytest.mark.parametrize("filler", ["\n", "# x\n", " ", 'x = ["a"]\n'], ids=repr)
def test_places_are_found_without_keeping_every_line(filler: str) -> None:
    def taken(lines: int) -> int:
        text = filler * lines + "\ny = [" + "1," * lines + "]\nfoo = 1\n"

        def look() -> None:
            found = locate.find(text, [("foo",)])
            assert locate.positions(text, [entry.start for entry in found.values()]) == [(text.count("\n"), 1)]

        return growth.peak(look)

    taken(1)  # what is made once
    assert (
        taken(100_000) - taken(10_000) < 1_000_000
    )  # what is kept of each line is some 100 bytes; other threads take some too


def test_files_have_a_greatest_size(run: Run, tmp_path: Path, store: Path) -> None:
    def sparse(name: str, size: int) -> str:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        return name

    huge, large = sparse("huge.toml", MAX_STORE_SIZE + 1), sparse("large.toml", MAX_FILE_SIZE + 1)
    gib, mib = "larger than 1 GiB, the limit", "larger than 64 MiB, the limit"
    for command, status, told in (
        (["--file", huge, "check", "a@x.example", "pop", "::1"], 3, gib),
        (["--file", huge, "pop", "on", "a@x.example"], 3, gib),
        (["validate", huge], 3, gib),
        (["validate", huge, "--format", "sarif"], 3, gib),
        (["--file", str(store), "diff", str(store), huge], 3, gib),
        (["--file", str(store), "install", huge], 3, gib),
        (["--file", str(store), "test", large], 2, mib),
        (["--file", str(store), "deploy", "--host-config", large], 3, mib),
        (["--file", str(store), "export", "dovecot", "--token-file", large], 3, mib),
    ):
        result = run(*command)
        assert result.status == status, (command, result)
        assert told in result.out + result.err, command


def test_a_stream_has_a_greatest_size(program: Run, store: Path) -> None:
    """A pipe has no size; what comes is counted."""
    from mailpolicy.system import files

    with open("/dev/zero", "rb") as zero, pytest.raises(files.TooLarge, match="larger than 3 MiB"):
        files.read_stream(zero, 3 << 20)
    result = program("--file", str(store), "test", "-", stdin="#" * (MAX_FILE_SIZE + 1))
    assert result.status == 2
    assert "-: larger than 64 MiB" in result.err


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 300_000, 3_000_000])
def test_a_line_has_a_greatest_length(size: int, program: Run, store: Path) -> None:
    """What is cut is never taken for the shorter line."""
    start = "alice@example.com pop 10.0.0.1"
    long = start + " " * (size - len(start))
    told = f"the line is longer than {MAX_LINE_BYTES} bytes"
    file = ("--file", str(store))
    fits = size <= MAX_LINE_BYTES
    for stdin in (f"{start}\n{long}\n{start}\n", f"{start}\n{start}\n{long}"):
        batch = program(*file, "check", "--batch", "-", stdin=stdin)
        assert batch.status == (0 if fits else 2)
        assert batch.out.count("allow\t") == (3 if fits else 2)
        assert (told in batch.out) is not fits
        objects = program(*file, "check", "--batch", "-", "--json", stdin=stdin)
        assert (told in objects.out) is not fits
        assert objects.out.count('"allowed": true') == (3 if fits else 2)
        log = program(*file, "replay", "-", stdin=stdin)
        assert (told in log.err) is not fits
        assert f"of {3 if fits else 2} logins" in log.err
        assert program(*file, "replay", "-", "--strict", stdin=stdin).status == (0 if fits else 2)
    listed = program(*file, "account", "suspend", "-", "--dry-run", stdin=f"bob@example.com{' ' * (size - 15)}\n")
    assert listed.status == (0 if fits else 2)
    assert (told in listed.err) is not fits


def test_a_finding_far_down_costs_no_list_of_lines() -> None:
    text = "version = 1\n" + "\n" * 100_000 + "foo = 1\n"
    assert Store("-", text.encode()).diagnose()[0][0].line == 100_002


def test_a_list_has_an_end(program: Run, store: Path) -> None:
    for text in ("\0" * (MAX_FILE_SIZE + 200_000), f"#{59_999 * ' '}\n" * (MAX_FILE_SIZE // 60_000 + 10)):
        result = program("--file", str(store), "pop", "on", "-", stdin=text)
        assert (result.status, result.out) == (2, "")
        assert f"than {MAX_FILE_SIZE >> 20} MiB" in result.err
        assert len(result.err) < 300
