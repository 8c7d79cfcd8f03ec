"""docs/ci.md and the pre-commit hook, as far as they go without the services: what is printed there is what runs here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.helpers import EXAMPLE, ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
GOOD = EXAMPLE.read_text(encoding="utf-8")
BAD = GOOD + "pop_lanonly = true\n"
WARNED = GOOD + "\n[templates.unused]\n"


def examples(heading: str) -> list[Any]:
    """The YAML that the page shows under a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section, f"there is no section {heading}"
    return [
        yaml.load(text, yaml.BaseLoader)
        for text in re.findall(r"^```yaml\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    ]


class Machine:
    """A machine without network: programs, a home of its own, and the packages that are here already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # All that is installed here but mailpolicy itself, so that pip has nothing to fetch and what runs is what it built.
        packages = folder / "packages"
        packages.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if "mailpolicy" not in path.name and path.suffix != ".pth":
                (packages / path.name).symlink_to(path)
        self.environment = {
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # that is, none: pip's switch is named the other way round
            "PRE_COMMIT_HOME": str(folder / "pre-commit"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{
                f"GIT_{who}_{what}": "somebody@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }

    def run(self, *command: str, here: Path, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | more
        return subprocess.run(
            command, cwd=here, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def git(self, *arguments: str, here: Path) -> str:
        done = self.run("git", *arguments, here=here)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repository(self, name: str, files: dict[str, str]) -> Path:
        """A repository with these files, committed."""
        folder = self.folder / name
        folder.mkdir()
        self.git("init", "-q", "-b", "main", here=folder)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        self.git("add", ".", here=folder)
        self.git("commit", "-q", "--allow-empty", "-m", "first", here=folder)
        return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def project(machine: Machine) -> Path:
    """What somebody has who clones the project: what is installed from, and the hooks."""
    folder = machine.repository("project", {})
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(
        ROOT / "src" / "mailpolicy", folder / "src" / "mailpolicy", ignore=shutil.ignore_patterns("__pycache__")
    )
    machine.git("add", ".", here=folder)
    machine.git("commit", "-q", "-m", "all", here=folder)
    return folder


def test_the_pre_commit_hook_stops_a_bad_commit(machine: Machine, project: Path) -> None:
    """The configuration of the page, the real pre-commit as git's hook, and what it installs from the repository."""
    (config,) = examples("Before a commit")
    assert config["repos"][0]["rev"] == "COMMIT"
    config["repos"][0] |= {"repo": str(project), "rev": machine.git("rev-parse", "HEAD", here=project).strip()}
    stored = {"accounts.toml": GOOD, "README": "policy\n", ".pre-commit-config.yaml": yaml.safe_dump(config)}
    folder = machine.repository("with-hook", stored)
    installed = machine.run("pre-commit", "install", here=folder)
    assert installed.returncode == 0, installed.stderr

    def commit(files: dict[str, str]) -> subprocess.CompletedProcess[str]:
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        machine.git("add", ".", here=folder)
        done = machine.run("git", "commit", "-m", "next", here=folder)
        machine.git("reset", "--hard", "-q", here=folder)
        return done

    good = commit({"accounts.toml": GOOD + "\n# more\n", "branch/accounts.toml": "version = 1\n"})
    assert good.returncode == 0, good.stderr
    assert "mailpolicy validate......................................................Passed" in good.stderr
    for path in ("accounts.toml", "branch/accounts.toml"):
        bad = commit({path: BAD})
        assert bad.returncode == 1, bad.stderr
        assert f"{path}:{len(BAD.splitlines())}:1: error[MP005]: unknown key 'pop_lanonly'" in bad.stderr
        assert machine.git("status", "--short", here=folder) == ""
    assert commit({"accounts.toml": WARNED}).returncode == 1, "--strict reaches the command"
    both = commit({"accounts.toml": BAD, "branch/accounts.toml": "version = 2\n"})
    assert (both.stderr.count("error[MP005]"), both.stderr.count("error[MP004]")) == (1, 1)
    other = commit({"not-accounts.toml": "no policy", "accounts.toml.orig": "none", "README": "changed\n"})
    assert other.returncode == 0, other.stderr
    assert "(no files to check)Skipped" in other.stderr


def test_the_hooks_for_cases_and_access(machine: Machine, project: Path) -> None:
    (config,) = examples("Cases and access before a commit")
    config["repos"][0] |= {"repo": str(project), "rev": machine.git("rev-parse", "HEAD", here=project).strip()}
    cases = '[[case]]\naddress = "alice@acme.example"\nprotocol = "pop"\nip = "203.0.113.9"\nexpect = "deny"\n'
    stored = {"accounts.toml": GOOD, "cases.toml": cases, ".pre-commit-config.yaml": yaml.safe_dump(config)}
    folder = machine.repository("with-more-hooks", stored)
    assert machine.run("pre-commit", "install", here=folder).returncode == 0

    def commit(text: str, **more: str) -> str:
        (folder / "accounts.toml").write_text(text, encoding="utf-8")
        machine.git("add", ".", here=folder)
        done = machine.run("git", "commit", "-m", "next", here=folder, **more)
        machine.git("reset", "--hard", "-q", "HEAD~1" if done.returncode == 0 else "HEAD", here=folder)
        return "committed" if done.returncode == 0 else done.stderr

    assert commit(GOOD + "\n# more\n") == "committed"
    told = commit(GOOD.replace("pop_lan_only = true", "pop_lan_only = false", 1))
    assert "mailpolicy test..........................................................Failed" in told
    assert "mailpolicy diff..........................................................Failed" in told
    wider = GOOD.replace("[templates.contractor]\nimap_lan_only = true\n", "[templates.contractor]\n")
    told = commit(wider)
    assert "mailpolicy test..........................................................Passed" in told
    assert "mailpolicy diff..........................................................Failed" in told
    assert commit(wider, SKIP="mailpolicy-diff") == "committed"


def test_the_hooks_are_a_manifest(machine: Machine) -> None:
    done = machine.run("pre-commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"), here=machine.folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def runner(machine: Machine, project: Path) -> dict[str, str]:
    """The environment of a job: a Python of its own, and where the page says that mailpolicy is installed from."""
    python = machine.folder / "python"
    made = machine.run(sys.executable, "-m", "virtualenv", "--quiet", str(python), here=machine.folder)
    assert made.returncode == 0, made.stderr
    (workflow, _), (pipeline,) = examples("GitHub Actions"), examples("GitLab")
    named = {workflow["env"]["MAILPOLICY"], pipeline["mail-policy"]["variables"]["MAILPOLICY"]}
    (where,) = named
    here = re.sub("https://git.example/mailpolicy.git", f"file://{project}", where)
    assert here != where
    assert here.endswith("@COMMIT")
    here = here.removesuffix("COMMIT") + machine.git("rev-parse", "HEAD", here=project).strip()
    return {"PATH": f"{python / 'bin'}{os.pathsep}{os.environ['PATH']}", "MAILPOLICY": here}


def steps(job: Any) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_jobs_run(machine: Machine, runner: dict[str, str]) -> None:
    """Each shell line in turn, as the services run them: it stops at the first that fails."""
    workflow, more = examples("GitHub Actions")
    validate, scan = steps(workflow["jobs"]["validate"]), steps(more["jobs"]["scan"])
    gitlab = examples("GitLab")[0]["mail-policy"]["script"]
    assert validate[0] == scan[0] == gitlab[0], "one line installs, and is tried once"
    folder = machine.repository("jobs", {"accounts.toml": GOOD})
    installed = machine.run("bash", "-e", "-c", validate[0], here=folder, **runner)
    assert installed.returncode == 0, installed.stderr
    assert machine.run("which", "mailpolicy", here=folder, **runner).stdout.startswith(f"{machine.folder}/python/bin/")

    def job(lines: list[str], text: str) -> tuple[int, str]:
        (folder / "accounts.toml").write_text(text)
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
        done = [machine.run(*shell, line, here=folder, **runner) for line in lines]
        status = next((step.returncode for step in done if step.returncode), 0)
        return status, "".join(step.stdout for step in done)

    line = len(BAD.splitlines())
    assert job(validate[1:], GOOD) == (0, "")
    status, log = job(validate[1:], BAD)
    assert status == 1
    assert log.startswith(f"::error file=accounts.toml,line={line},col=1,title=mailpolicy MP005::")
    assert job(validate[1:], WARNED)[0] == 1

    for text, codes in ((GOOD, []), (BAD, ["MP005"])):
        assert job(scan[1:], text) == (0, ""), "the scan only reports"
        (upload,) = [step for step in more["jobs"]["scan"]["steps"] if "sarif_file" in step.get("with", {})]
        log = json.loads((folder / upload["with"]["sarif_file"]).read_text())
        assert [result["ruleId"] for result in log["runs"][0]["results"]] == codes

    # As a runner of GitLab checks out; in its containers the job is root.
    folder.chmod(0o777)
    (folder / "accounts.toml").chmod(0o666)
    report = folder / examples("GitLab")[0]["mail-policy"]["artifacts"]["reports"]["junit"]
    assert job(gitlab[1:], GOOD) == (0, "")
    assert ElementTree.parse(report).getroot().attrib["failures"] == "0"
    status, log = job(gitlab[1:], BAD)
    assert (status, log.count("error[MP005]")) == (1, 1)
    assert ElementTree.parse(report).getroot().attrib["failures"] == "1"


def test_the_files_are_what_the_services_read(machine: Machine) -> None:
    """By the schemas of GitHub and GitLab that come with check-jsonschema."""
    workflow, more = examples("GitHub Actions")
    workflow["jobs"] |= more["jobs"]
    for name, content in (("github-workflows", workflow), ("gitlab-ci", examples("GitLab")[0])):
        path = machine.folder / f"{name}.yml"
        for broken in (False, True):
            if broken:
                next(iter(content["jobs"].values() if "jobs" in content else content.values()))["stepz"] = ["x"]
            path.write_text(yaml.safe_dump(content))
            command = [
                sys.executable,
                str(SCRIPTS / "check-jsonschema"),
                "--builtin-schema",
                f"vendor.{name}",
                str(path),
            ]
            done = machine.run(*command, here=machine.folder, PYTHONPATH="")
            assert (done.returncode != 0) is broken, done.stdout


def test_what_the_page_says_of_the_formats() -> None:
    from mailpolicy.cli.findings import FORMATS

    assert re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE) == list(FORMATS)
