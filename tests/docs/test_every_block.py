"""Every command on a documentation page is run, and every output that is shown is compared."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.pages import PAGES, PASSWORD, Block, Folder, blocks, same_run, shown
from tests.helpers import ROOT, Expected, missing

LOG = next(block for block in blocks("docs/cases.md") if block.first == "$ cat mail.log")
_REPOSITORY = """
cp accounts.toml.example accounts.toml
git init -q -b main; git add .; git commit -q -m policy; git checkout -q -b tidy
"""
_TIDIED = "sed -i '/^.templates.contractor.$/,/^$/{/imap_lan_only/d}' accounts.toml; git commit -q -a -m tidy"
_KEYRING = "mailpolicy secrets init --secrets-file /var/lib/mailpolicy/secrets --key-file /etc/mailpolicy/key"
_GUARD = """echo 'cases = "/etc/mailpolicy/cases.toml"' > /etc/mailpolicy/host.toml"""

# By the page: what happens before its blocks, by the block's first line; "" is the first of all.
RUN_HERE: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "": _REPOSITORY + _KEYRING,
        "mailpolicy check alice@acme.example pop 203.0.113.9 --quiet || echo \"not allowed\"": f"""
            echo '{PASSWORD}' > /run/secrets/luis
            echo 'imani@acme.example pop 203.0.113.9' > questions.txt
            """,
        "$ mailpolicy validate --strict accounts.toml": """
            git checkout -q accounts.toml
            sed -i '50s/lan_only/lanonly/; 131s/contractor/contracter/' accounts.toml
            """,
        "$ mailpolicy diff main:accounts.toml accounts.toml --fail-on widened": f"""
            git checkout -q accounts.toml
            {_TIDIED}
            cp accounts.toml.example draft.toml
            cp mail.log /var/log
            """,
    },
    "docs/cases.md": {
        "": "cp accounts.toml.example accounts.toml",
        "$ mailpolicy pop anywhere alice@acme.example --file accounts.toml": f"{_GUARD}; cp cases.toml /etc/mailpolicy",
    },
    "docs/ci.md": {
        "": _REPOSITORY,
        "$ git diff --no-ext-diff -U1 main -- accounts.toml | tail -n 3": _TIDIED,
        "git show origin/main:accounts.toml | mailpolicy install - --fail-on widened": """
            git update-ref refs/remotes/origin/main main
            touch /etc/mailpolicy/host.toml
            cp accounts.toml.example /etc/mailpolicy/accounts.toml
            export MAILPOLICY_FILE=/etc/mailpolicy/accounts.toml
            cp accounts.toml.example draft.toml
            cp mail.log /var/log
            """,
    },
    "docs/history.md": {
        "": "cp accounts.toml.example accounts.toml; echo 'journal = true' > /etc/mailpolicy/host.toml",
    },
    "docs/migrating-from-mdaemon.md": {
        "": f"""
            {_KEYRING}
            printf '%s\\n' '"MailBox","Domain","FullName","Password","AllowAccess","EnableMultiPOP","FwdAddress"' \\
                '"frank","acme.example","Frank Thomas","",Y,N,""' \\
                '"arvel","acme.example","Arvel Hathcock","",Y,Y,"arvel@home.example"' \\
                '"michael","acme.example","Michael Mason","",N,N,""' > accounts.csv
            printf '%s\\n' '127.0.*.*' '192.168.*.*' > lan.txt
            echo '{{"address": "arvel@acme.example", "login": "arvel", "password": "{PASSWORD}"}}' > logins.ndjson
            """,
    },
    "docs/policy.md": {"": f"cp accounts.toml.example accounts.toml; echo '{PASSWORD}' > password; {_KEYRING}"},
    "docs/provisioning.md": {
        "": f"""
            {_KEYRING}
            cp accounts.toml.example accounts.toml
            sed -i 's/^smart_host_login =.*//' accounts.toml
            printf '%s\n' address,pop,imap,template,expires olga@acme.example,off,,, rosa@acme.example,,,office, \
                nora@acme.example,,,field,2099-12-31 > plan.csv
            printf '%s\n' address pedro@contractors.acme.example > contractors.csv
            echo '{{"address": "mei@acme.example", "relay": "mei", "password": "{PASSWORD}"}}' > directory.ndjson
            """,
    },
    "docs/secrets.md": {
        "": f"""
            {_KEYRING}
            cp accounts.toml.example accounts.toml
            sed -i 's/acme[.]example/example.com/; /^host =/d; /^smart_host_login =/d; /^login =/d' accounts.toml
            mailpolicy multipop source add alice@example.com provider --host pop.provider.example --login a1970
            echo '{PASSWORD}' > password
            """,
        "$ mailpolicy secrets rebind": """
            mailpolicy smart-host clear --server
            mailpolicy multipop source remove alice@example.com provider
            sed -i 's/smtp.relay.example/smtp.new.example/' accounts.toml
            """,
        "$ mailpolicy secrets verify": "printf x >> /var/lib/mailpolicy/secrets",
    },
}  # fmt: skip
# The page that shows the file of cases which the reader of a page has.
CASES = {"README.md": "docs/cases.md", "docs/cases.md": "docs/cases.md", "docs/ci.md": "docs/ci.md"}


class Elsewhere(NamedTuple):
    """Another test that runs blocks, and the text in it by which one sees that it does."""

    test: str
    text: str


_DESKTOP_ON_A_SERVER = next(block.first for block in blocks("docs/secrets.md") if block.text.startswith("dbus-run-"))
# Blocks that other tests run: all of a page, the one with this first line, or the commands below a heading.
RUN_ELSEWHERE: dict[str | tuple[str, str], Elsewhere] = {
    "docs/enforcement.md": Elsewhere("tests/real/test_enforcement_page.py", "machine.run(block.text"),
    # A script stands in for `docker`: Docker needs a kernel and a registry of its own.
    **{
        f"docs/suites/{name}.md": Elsewhere("tests/real/suites/test_suites.py", "for block in blocks(suite.page)")
        for name in ("docker-mailserver", "iredmail", "postfixadmin")
    },
    "docs/several-nodes.md": Elsewhere("tests/real/nodes/test_several_nodes.py", "{block.heading for block in blocks(PAGE)"),
    **{
        ("docs/secrets.md", heading): Elsewhere("tests/real/test_secrets_page.py", f'commands("{heading}")')
        for heading in (
            "Desktop", "Server with systemd", "Server without systemd", "Container", "CI", "The sealed file"
        )
    },
    "docs/sealed-file.md": Elsewhere("tests/sealed/test_vectors.py", 'READER["console"].split'),
    ("README.md", "make demo"): Elsewhere(".ci/run", "\nmake demo\n"),
    ("README.md", "make test         # no servers needed"): Elsewhere(".ci/run", "\n    make check test-real\n"),
    ("README.md", "pipx install --global .     # /usr/local/bin/mailpolicy; see below for other ways"): Elsewhere(
        "tests/real/test_installed.py", 'startswith("pipx install --global .")'
    ),
    ("README.md", "$ mailpolicy deploy"): Elsewhere("tests/real/test_pages_as_root.py", '"$ mailpolicy deploy"'),
    ("docs/policy.md", "groupadd --system postmasters"): Elsewhere(
        "tests/real/test_pages_as_root.py", '"groupadd --system postmasters"'
    ),
    ("docs/secrets.md", _DESKTOP_ON_A_SERVER): Elsewhere(
        "tests/real/test_desktop_on_a_server.py", 'startswith("dbus-run-session ")'
    ),
}  # fmt: skip
# Blocks that no test runs, each with the reason.
NOT_RUN = {
    (
        "docs/secrets.md",
        "systemd-run --pty --wait -p LoadCredentialEncrypted=mailpolicy.key mailpolicy smart-host set bob@example.com",
    ): "only a machine that systemd has started runs a unit"
}


def elsewhere(block: Block) -> Elsewhere | None:
    """Return the other test that runs a block."""
    other = RUN_ELSEWHERE.get(block.page) or RUN_ELSEWHERE.get((block.page, block.first))
    return other or (RUN_ELSEWHERE.get((block.page, block.heading)) if block.kind == "sh" else None)


def is_left(block: Block) -> bool:
    """Whether a block is for this test to run."""
    return block.runs and elsewhere(block) is None and (block.page, block.first) not in NOT_RUN


@pytest.mark.parametrize("page", RUN_HERE)
def test_what_a_page_shows_happens(page: str, tmp_path: Path, expected: Expected) -> None:
    for program in ("git", "script"):
        if shutil.which(program) is None:
            missing(f"{program} is missing: Debian packages git and bsdutils")
    folder = Folder(tmp_path)
    (folder.work / "mail.log").write_text(shown(LOG)[0].output, encoding="utf-8")
    if page in CASES:
        cases = next(block for block in blocks(CASES[page]) if block.kind == "toml")
        (folder.work / "cases.toml").write_text(cases.text, encoding="utf-8")
    here = [block for block in blocks(page) if is_left(block)]
    assert here
    text = (ROOT / page).read_text(encoding="utf-8")
    for block, outputs in zip(here, folder.run(here, RUN_HERE[page]), strict=True):
        if block.kind == "console":
            there = [command.output for command in shown(block)]
            kept = [old if same_run(old, new) else new for old, new in zip(there, outputs, strict=True)]
            assert block.showing(there) in text, f"{block.where}: a line of blanks alone cannot be compared"
            text = text.replace(block.showing(there), block.showing(kept))
    expected(ROOT / page, text)


def test_no_block_is_left_out() -> None:
    left_out = [block.where for page in PAGES for block in blocks(page) if is_left(block) and page not in RUN_HERE]
    assert not left_out


def test_every_fence_is_a_block_of_a_known_kind() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert len(re.findall(r"^ *```", text, re.M)) == 2 * len(list(blocks(page))), page
        for block in blocks(page):
            assert block.kind in ("sh", "console", "text", "toml", "yaml", "crontab", "sql", "python"), block.where
            assert block.kind == "console" or not re.search(r"^\$ ", block.text, re.M), f"{block.where}: it is a run"


def test_the_other_tests_run_what_they_are_said_to_run() -> None:
    there = [block for page in PAGES for block in blocks(page) if block.runs]
    found = [elsewhere(block) for block in there if (block.page, block.first) not in NOT_RUN]
    assert not NOT_RUN.keys() - {(block.page, block.first) for block in there}
    for key, other in RUN_ELSEWHERE.items():
        # The other test runs only the first commands below a heading.
        assert found.count(other) == 1 or key in PAGES, f"not one block {key}"
        assert other.text in (ROOT / other.test).read_text(encoding="utf-8"), other
