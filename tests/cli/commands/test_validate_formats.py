"""Check what `validate` prints for review tools, whatever files and accounts are called."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mailpolicy.store import locate
from tests.helpers import ROOT, TESTS, Run
from tests.render.logs import STORES, commands, results


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.stem)
def test_every_store_in_every_format(path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TESTS)
    name = f"{path.parent.name}/{path.name}"
    findings = json.loads(run("validate", name, "--hints", "--json").out)["files"][0]["findings"]
    status = run("validate", name, "--hints").status
    told = {form: run("validate", name, "--hints", "--format", form) for form in ("github", "sarif", "junit")}
    assert {result.status for result in told.values()} == {status}
    assert {run("validate", name, "--exit-zero", "--format", form).status for form in ("text", *told)} == {0}
    in_repository = f"tests/{name}" if (ROOT / ".git").exists() else name
    assert [
        (properties["file"], int(properties["line"]), int(properties["col"]), properties["title"], message)
        for _, properties, message in commands(told["github"].out)
    ] == [
        (
            in_repository,
            finding["line"],
            finding["column"],
            f"mailpolicy {finding['code']}",
            f"{in_repository}:{finding['line']}:{finding['column']}: {finding['code']}: {finding['message']}",
        )
        for finding in findings
    ]
    assert [(result["ruleId"], result["message"]["text"]) for result in results(told["sarif"].out)] == [
        (finding["code"], finding["message"]) for finding in findings
    ]
    cases = ElementTree.fromstring(told["junit"].out).findall(".//testcase")
    if findings:
        assert [int(case.attrib["line"]) for case in cases] == [finding["line"] for finding in findings]
        failed = [case.find("failure") is not None for case in cases]
        assert failed == [finding["severity"] == "error" for finding in findings]
    else:
        assert [case.attrib["name"] for case in cases] == ["valid"]


def test_fingerprints_stay_while_lines_move(run: Run, tmp_path: Path) -> None:
    for path in STORES:
        if path.name.startswith(("not-", "nested")):
            continue  # what is above them changes what is wrong, or there is no place to go by
        before, after = tmp_path / "a" / "accounts.toml", tmp_path / "b" / "accounts.toml"
        logs = []
        for store, text in ((before, path.read_bytes()), (after, b"# one\n#  two\n" + path.read_bytes())):
            store.parent.mkdir(exist_ok=True)
            store.write_bytes(text)
            os.chdir(store.parent)
            logs.append(results(run("validate", "accounts.toml", "--hints", "--format", "sarif").out))
        prints = [sorted(result["partialFingerprints"]["mailpolicyKey/v1"] for result in log) for log in logs]
        assert prints[0] == prints[1], path.name


def test_a_count_in_the_wording_does_not_make_a_new_finding(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    text = (TESTS / "advice" / "standard-edition.toml").read_text()
    logs = []
    for extra in ("", '[accounts."c@x.example"]\n'):
        path.write_text(text + extra)
        logs.append(results(run("validate", "accounts.toml", "--format", "sarif").out))
    assert logs[0][0]["message"] != logs[1][0]["message"]
    assert logs[0][0]["partialFingerprints"] == logs[1][0]["partialFingerprints"]


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "junit"])
def test_exit_status_is_the_same_in_every_format(form: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text("version = 1\n")
    (tmp_path / "warned.toml").write_text("version = 1\n[templates.t]\n")
    (tmp_path / "bad.toml").write_text("version = 2\n")
    for files, options, status in (
        (["good.toml"], [], 0),
        (["warned.toml"], [], 0),
        (["warned.toml"], ["--strict"], 1),
        (["warned.toml"], ["--strict", "--exit-zero"], 0),
        (["good.toml", "bad.toml"], [], 1),
        (["good.toml", "bad.toml"], ["--exit-zero"], 0),
        (["bad.toml", "nowhere.toml"], [], 3),
        (["nowhere.toml"], ["--exit-zero"], 3),
    ):
        assert run("validate", *files, *options, "--format", form).status == status, (files, options)


def test_a_file_that_cannot_be_opened_is_told_of_in_every_format(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text("version = 1\n")
    files = ("nowhere.toml", "good.toml")
    ((command, properties, message),) = commands(run("validate", *files, "--format", "github").out)
    assert (command, properties["file"]) == ("error", "nowhere.toml")
    assert "no such file" in message
    log = json.loads(run("validate", *files, "--format", "sarif").out)
    invocation = log["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "no such file" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    report = ElementTree.fromstring(run("validate", *files, "--format", "junit").out)
    assert (report.attrib["tests"], report.attrib["errors"]) == ("2", "1")


def test_paths_are_those_of_the_repository(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever directory of it the command runs, and in a worktree, whose .git is a file."""
    below = tmp_path / "policies" / "müller"
    below.mkdir(parents=True)
    (below / "accounts.toml").write_text("version = 2\n")
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("version = 2\n")

    def uri(name: str) -> str:
        log = run("validate", name, "--format", "sarif").out
        return results(log)[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]  # type: ignore[no-any-return]

    (tmp_path / "policies" / ".git").write_text("gitdir: ../main/.git/worktrees/policies\n")
    monkeypatch.chdir(below)
    assert uri("accounts.toml") == "m%C3%BCller/accounts.toml"
    assert uri(str(below / "accounts.toml")) == "m%C3%BCller/accounts.toml"
    assert uri("../../elsewhere.toml") == f"file://{elsewhere}"
    monkeypatch.chdir(tmp_path)
    assert uri("policies/müller/accounts.toml") == "policies/m%C3%BCller/accounts.toml"


def test_no_name_becomes_a_command(program: Run, tmp_path: Path) -> None:
    """The runner reads stderr too, and a pull request chooses what files are called."""
    folder = tmp_path / "::add-mask::secret" / "##[stop-commands]x"
    folder.mkdir(parents=True)
    name = "::warning file=a,line=1::\n::error::%0A.toml"
    (folder / name).write_text('version = 1\n[accounts."a\\n::error::@x.example,:%"]\n')
    path = f"{folder.relative_to(tmp_path)}/{name}"
    for missing_too in ((), (f"{path}x",)):
        result = program("validate", path, *missing_too, "--format", "github")
        assert [command for command, _, _ in commands(result.out)] == ["error"] * (1 + len(missing_too))
        assert commands(result.out)[0][1]["file"] == path
        lines = result.err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("mailpolicy: not valid")
        assert "##[" not in lines[0]
        assert "secret" not in lines[0]
    text = program("validate", path)
    assert len(text.out.splitlines()) == 1, "a newline in a name does not begin a line"


def test_no_line_of_text_is_a_command_in_a_workflow(
    program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every step asks for annotations; the runner takes `::` at a line's beginning, and `##[` anywhere."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (tmp_path / "::stop-commands::x").mkdir()
    bad = "::stop-commands::x/accounts.toml"
    (tmp_path / bad).write_text('version = 1\n[accounts."##[stop-commands]tok@example.com"]\npop = true\n')
    (tmp_path / "good.toml").write_text("version = 1\n")
    for arguments in (
        ["validate", bad],
        ["validate", bad, "--json"],
        ["diff", bad, "good.toml"],
        ["diff", "good.toml", bad, "--json"],
        ["test", bad, "--file", "good.toml"],
        ["check", "a@x.example", "pop", "::1", "--file", bad],
        ["validate", "::stop-commands::y", "##[error]z"],
    ):
        result = program(*arguments)
        told = result.out + result.err
        assert "stop-commands" in told
        assert "##[" not in told
        assert not [line for line in told.splitlines() if line.lstrip().startswith("::")]
        if "--json" in arguments:
            assert "##[stop-commands]tok@example.com" in json.dumps(json.loads(result.out))
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert "##[stop-commands]tok" in program("validate", bad).out


def test_comments_that_allow_are_placed_together(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = "".join(f'[accounts."u{n}@x.example"]\ntemplate = "t"  # mailpolicy: allow MP012\n' for n in range(50))
    (tmp_path / "accounts.toml").write_text(f"version = 1\n[templates.t]\n{accounts}")
    placed, positions = [], locate.positions

    def counted(*arguments: Any) -> Any:
        placed.append(arguments)
        return positions(*arguments)

    monkeypatch.setattr(locate, "positions", counted)
    assert run("validate", "accounts.toml").out.count("MP038") == 50
    assert len(placed) < 5


def test_files_in_the_order_they_were_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text("version = 1\n")
    answer = run("validate", "nowhere.toml", "good.toml", "./good.toml", "--json")
    assert [file["file"] for file in json.loads(answer.out)["files"]] == ["nowhere.toml", "good.toml"]
    assert "1 file not opened" in run("validate", "nowhere.toml", "--format", "github").err
    told = run("validate", "nowhere.toml")
    assert told.err == "mailpolicy: nowhere.toml: no such file or directory\n", "what is named is not meant to be made"
    assert "mailpolicy init" in run("--file", "nowhere.toml", "validate").err
    assert run("validate", "-", "-").status == 2


def test_a_pipe_that_a_shell_gives(program: Run, store: Path) -> None:
    shell = 'exec "$0" -m mailpolicy diff <(sleep 0.1; cat "$1") <(cat "$1"; echo "[templates.t]")'
    done = subprocess.run(["bash", "-c", shell, sys.executable, store], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    os.mkfifo(store.with_name("fifo"))
    assert "this is a FIFO" in program("validate", "fifo").err


def test_a_name_in_a_message_is_no_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text('version = 1\n[accounts."[click](https://evil.example)@x.example"]\n')
    (result,) = results(run("validate", "accounts.toml", "--format", "sarif").out)
    assert not re.search(r"\[[^\]]*\]\(", result["message"]["text"])
    assert "https://evil.example" in result["message"]["text"]


def test_git_finds_the_repository_where_we_do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    below = tmp_path / "repo" / "deep" / "er"
    below.mkdir(parents=True)
    (below / "accounts.toml").write_text("version = 2\n")
    monkeypatch.chdir(below)
    prefix = subprocess.run(["git", "rev-parse", "--show-prefix"], capture_output=True, text=True, check=True)
    ((_, properties, _),) = commands(run("validate", "accounts.toml", "--format", "github").out)
    assert properties["file"] == f"{prefix.stdout.strip()}accounts.toml"
