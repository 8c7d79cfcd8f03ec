"""The pages on provisioning in other tools: Ansible, cloud-init, cron and GitHub's action do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import blocks
from tests.helpers import EXAMPLE, ROOT, missing

PAGE = "docs/provisioning.md"
PLAN = "address,pop\nolga@acme.example,off\nnew@acme.example,on\n"


def block(heading: str) -> str:
    """The file below a heading of the page."""
    (found,) = [block.text for block in blocks(PAGE) if block.heading == heading and not block.runs]
    return found


class Place:
    """A machine in a folder, whose /etc and /srv are in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "etc/mailpolicy/accounts.toml"
        self.store.parent.mkdir(parents=True)
        (folder / "srv/personnel").mkdir(parents=True)
        (folder / "etc/mailpolicy/host.toml").touch()
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "MAILPOLICY_FILE": str(self.store),
            "MAILPOLICY_HOST_CONFIG": str(folder / "etc/mailpolicy/host.toml"),
            "MAILPOLICY_NO_CACHE": "1",
        }

    def placed(self, text: str) -> str:
        return re.sub(r"(?<![\w/])/(?=etc/|srv/)", f"{self.folder}/", text)

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def play(place: Place, *options: str) -> tuple[str, str]:
    """Run the playbook of the page; what each task came to, and everything that was printed."""
    done = place.run(
        "ansible-playbook",
        "-i",
        "mail,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "play.yml",
        *options,
    )
    recap = re.search(r"ok=\d+ +changed=\d+ .*?failed=\d+", done.stdout)
    return re.sub(" +", " ", recap[0]) if recap else "", done.stdout + done.stderr


def test_the_playbook(place: Place) -> None:
    if shutil.which("ansible-playbook", path=place.environment["PATH"]) is None:
        missing("ansible-playbook is missing: pip install ansible-core")
    (place.folder / "play.yml").write_text(place.placed(block("From Ansible")))
    (place.folder / "plan.csv").write_text(PLAN)
    shutil.copy(EXAMPLE, place.store)
    assert play(place)[0].startswith("ok=3 changed=2"), play(place)[1]
    text = place.store.read_text()
    assert '[accounts."new@acme.example"]' in text
    assert play(place)[0].startswith("ok=3 changed=0")
    # A later plan, looked at and then applied.
    (place.folder / "etc/mailpolicy/plan.csv").write_text(PLAN.replace("off", "on"))
    (place.folder / "plan.csv").write_text(PLAN.replace("off", "on"))
    assert play(place, "--check")[0].startswith("ok=3 changed=1")
    assert place.store.read_text() == text
    assert play(place)[0].startswith("ok=3 changed=1")
    # The whole store, first with an error.
    text = place.store.read_text()
    (place.folder / "accounts.toml").write_text(text + "pop_lanonly = true\n")
    recap, told = play(place, "--tags", "store")
    assert ("failed=1" in recap, "MP005" in told, place.store.read_text()) == (True, True, text)
    (place.folder / "accounts.toml").write_text(text + "# reviewed\n")
    assert "failed=0" in play(place, "--tags", "store")[0]
    assert place.store.read_text().endswith("# reviewed\n")


def test_cloud_init(place: Place) -> None:
    text = place.placed(block("From cloud-init"))
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    for file in config["write_files"]:
        Path(file["path"]).write_text(file["content"])
    for _ in range(2):  # also after a first boot that was interrupted
        for command in config["runcmd"]:
            done = place.run(*command)
            assert done.returncode == 0, done.stderr
    assert '[accounts."postmaster@acme.example"]\npop = true\npop_lan_only = true\n' in place.store.read_text()
    assert done.stdout.count("\tok\n") == 2


def test_cron(place: Place) -> None:
    line = block("From cron").splitlines()[1]
    match = re.fullmatch(r"(?:\S+ ){4}\S+  root  (.*)", line)
    assert match is not None
    command = ["sh", "-c", place.placed(match[1])]
    shutil.copy(EXAMPLE, place.store)
    listed = place.folder / "srv/personnel/accounts.csv"
    all_of_them = place.run("mailpolicy", "account", "export", "--domain", "acme.example").stdout
    listed.write_text(all_of_them.replace("\nrosa@", "\nrosita@"))
    done = place.run(*command)
    assert '[accounts."rosita@acme.example"]' in place.store.read_text()
    assert '[accounts."rosa@acme.example"]' not in place.store.read_text()
    assert "quentin@contractors" in place.store.read_text()
    assert "nothing to deploy" in done.stderr  # deploy is reached, and this machine has none
    listed.write_text("".join(all_of_them.splitlines(keepends=True)[:3]))
    text = place.store.read_text()
    done = place.run(*command)
    assert (done.returncode, "--prune-at-most" in done.stderr, place.store.read_text()) == (5, True, text)


CASES = '[[case]]\naddress = "alice@acme.example"\nprotocol = "pop"\nip = "203.0.113.9"\nexpect = "deny"\n'
WIDER = EXAMPLE.read_text().replace("pop_lan_only = true", "pop_lan_only = false", 1)


def test_the_action(place: Place) -> None:
    """Its steps as GitHub's runner runs them, but for the installation."""
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t.example")
    (place.folder / "accounts.toml").write_text(EXAMPLE.read_text())
    (place.folder / "cases.toml").write_text(CASES)
    for command in (("init", "-q"), ("add", "accounts.toml", "cases.toml"), ("commit", "-q", "-m", "policy")):
        assert place.run(*git, *command).returncode == 0
    given = {"cases": "cases.toml", "base": place.run("git", "rev-parse", "HEAD").stdout.strip(), "fail-on": ""}

    def act(text: str, **more: str) -> dict[str, int]:
        (place.folder / "accounts.toml").write_text(text)
        return action(place, {**given, **{name.replace("_", "-"): value for name, value in more.items()}})

    passed = dict.fromkeys(("Write the findings as SARIF", "Validate", "Test", "Compare access"), 0)
    assert act(EXAMPLE.read_text()) == passed
    assert act(WIDER) == {**passed, "Test": 1}
    assert act(WIDER, fail_on="widened", cases="") == {
        name: int(name == "Compare access") for name in passed if name != "Test"
    }
    summary = (place.folder / "summary").read_text()
    assert "alice@acme.example" in summary
    for nothing in ("", "0" * 40):  # of a run by hand, and of a new branch
        assert act(WIDER, fail_on="widened", base=nothing)["Compare access"] == 0
    assert (place.folder / "summary").read_text().endswith("There is no commit to compare access with.\n" * 2)
    assert act(EXAMPLE.read_text() + "pop_lanonly = true\n")["Validate"] == 1
    sarif = json.loads((place.folder / "mailpolicy.sarif").read_text())
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["MP005"]


def test_the_action_compares_with_a_branch_that_it_must_fetch(place: Place) -> None:
    """As in the shallow checkout of actions/checkout, which has no branch but its own."""
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t.example", "-C", "origin")
    store = place.folder / "origin" / "accounts.toml"
    assert place.run("git", "init", "-q", "-b", "main", "origin").returncode == 0
    for branch, text in (("main", EXAMPLE.read_text()), ("topic", WIDER)):
        store.write_text(text)
        for line in (f"checkout -q -B {branch}", "add accounts.toml", f"commit -q -m {branch}"):
            assert place.run(*git, *line.split()).returncode == 0
    origin = f"file://{place.folder / 'origin'}"
    for line in ("init -q", f"remote add origin {origin}", "fetch -q --depth=1 origin topic", "checkout -q FETCH_HEAD"):
        done = place.run("git", *line.split())
        assert done.returncode == 0, done.stderr
    assert action(place, {"base": "main", "fail-on": "widened"})["Compare access"] == 1
    assert "alice@acme.example" in (place.folder / "summary").read_text()
    assert action(place, {"base": "main", "fail-on": "narrowed"})["Compare access"] == 0


def action(place: Place, given: dict[str, str]) -> dict[str, int]:
    content = yaml.safe_load((ROOT / "action.yml").read_text())
    inputs = {name: given.get(name, facts["default"]) for name, facts in content["inputs"].items()}
    statuses = {}
    for step in content["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input must not become a part of a script"
        if step["name"] == "Install" or ("inputs.cases" in step.get("if", "") and not inputs["cases"]):
            continue
        variables = {
            name: inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")] for name, value in step["env"].items()
        }
        more = {**variables, "GITHUB_STEP_SUMMARY": str(place.folder / "summary"), "GITHUB_ACTIONS": "true"}
        done = place.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], **more)
        statuses[step["name"]] = done.returncode
    return statuses


def test_the_action_is_one(place: Place) -> None:
    check = ("check-jsonschema", "--builtin-schema", "vendor.github-actions", str(ROOT / "action.yml"))
    done = place.run(*check)
    assert done.returncode == 0, done.stdout


def test_the_workflow_names_inputs_of_the_action() -> None:
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    (workflow,) = [
        yaml.safe_load(block.text)
        for block in blocks("docs/ci.md")
        if block.heading == "All of it as one step of GitHub Actions"
    ]
    step = workflow["jobs"]["policy"]["steps"][-1]
    assert step["uses"] == "OWNER/mailpolicy@COMMIT"
    assert step["with"].keys() <= content["inputs"].keys()
