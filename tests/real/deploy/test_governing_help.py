"""What deploy, doctor and export say of a Dovecot that does not ask about what the store governs, and that it helps."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.real.deploy.governing import ALL, SENDS, USERS, Site, expected_open, until_open
from tests.real.deploy.site import Mailpolicy, all_checked
from tests.real.dovecot import Dovecot

pytestmark = pytest.mark.real


@pytest.fixture
def site(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> Site:
    return Site(dovecot, mailpolicy, tmp_path)


@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
def test_a_governed_service_that_dovecot_does_not_ask_about_is_an_error_with_the_line_that_helps(
    site: Site, strategy: str
) -> None:
    """The snippet is no export: somebody put it there with the line that is shown."""
    site.start(strategy=strategy)
    site.by_hand(strategy=strategy)
    site.deploy()
    for before, after, wrong in (
        ((), ("smtp",), "does not ask the policy about smtp, submission"),
        (("smtp",), ("sieve",), "does not ask the policy about sieve; Dovecot asks about smtp, submission"),
    ):
        site.govern(*after)
        said = [site.deploy(status=1), site.deploy(status=1), site.deploy("--check", status=1)]
        assert all(wrong in one for one in said)
        assert [state for state, message in all_checked(site.mailpolicy) if wrong in message] == ["error"]
        if strategy == "allow-list":
            assert site.open_to("on@example.com") >= SENDS
        (line,) = set(re.findall(r"mailpolicy (export dovecot-conf .*?) --file", said[0]))
        assert site.mailpolicy(*shlex.split(line)).status == 0, before
        site.dovecot.doveadm("reload")
        site.deploy()
        assert site.deploy("--check")
        for user in USERS:
            until_open(site, user, expected_open(user, after))


def test_the_line_that_helps_keeps_the_default_domain(site: Site) -> None:
    site.start()
    site.by_hand()
    site.dovecot.let_in({**dict.fromkeys(USERS, "secret"), "on": "secret"})
    site.export_snippet("--default-domain", "example.com", "--force")
    site.dovecot.doveadm("reload")
    until_open(site, "on", ALL)
    site.govern("smtp")
    (line,) = set(re.findall(r"mailpolicy (export dovecot-conf .*?) --file", site.deploy(status=1)))
    assert site.mailpolicy(*shlex.split(line)).status == 0
    site.dovecot.doveadm("reload")
    until_open(site, "on", ALL)
    assert "--default-domain example.com" in line
    assert site.deploy("--check").count("\tok\n") == 1


def test_a_snippet_without_a_block_is_said_by_all_commands_alike(site: Site) -> None:
    site.start("smtp")
    path = site.dovecot.snippet
    path.write_text(re.sub(r"(?ms)^protocol (smtp|submission) \{.*?^\}\n", "", path.read_text()))
    wrong = "Dovecot does not ask the policy about smtp, submission"
    assert [state for state, message in all_checked(site.mailpolicy) if wrong in message] == ["error"]
    assert not any("!include" in message for _, message in all_checked(site.mailpolicy))
    assert wrong in site.deploy("--check", status=1)
    assert site.open_to("off@example.com") == {"sieve"}
    site.deploy()
    assert [state for state, _ in all_checked(site.mailpolicy)] == ["ok"]


def test_a_snippet_by_hand_waits_for_the_data_too(site: Site) -> None:
    site.start()
    site.by_hand()
    before = site.dovecot.snippet.read_bytes()
    site.govern("smtp")
    refused = site.export_snippet(status=5)
    assert "does not cover smtp, submission yet" in refused
    assert "try: mailpolicy deploy dovecot " in refused
    assert site.dovecot.snippet.read_bytes() == before
    # Installed all the same, with another program: the data are old, not the snippet.
    data = str(site.dovecot.data)
    made = site.mailpolicy("export", "dovecot-conf", "--dovecot", site.dovecot.release.version, "--data", data)
    site.dovecot.snippet.write_text(made.out)
    site.dovecot.doveadm("reload")
    closed = "nobody can use smtp, submission"
    assert closed in site.deploy("--check", status=1)
    checks = json.loads(site.mailpolicy("doctor", "--json").out)["checks"]
    (fix,) = [one["fix"] for one in checks if closed in one["message"]]
    assert site.mailpolicy(*shlex.split(fix)[1:]).status == 0
    for user in USERS:
        until_open(site, user, expected_open(user, ("smtp",)))


def test_without_doveconf_it_is_said_that_nothing_was_checked(site: Site) -> None:
    site.start()
    site.by_hand(doveconf=["/nonexistent/doveconf"])
    site.govern("smtp")
    unchecked = "was not checked: /nonexistent/doveconf is not installed"
    assert unchecked in site.deploy()
    assert unchecked not in site.deploy()
    assert [state for state, message in all_checked(site.mailpolicy) if unchecked in message] == ["skipped"]


def test_the_doveconf_of_another_dovecot_is_named_as_a_cause(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "doveconf"
    other.write_text(f"#!/bin/sh\necho '# {site.dovecot.release.version}.0 (x): {tmp_path}/dovecot.conf'\n")
    other.chmod(0o755)
    site.start()
    site.by_hand(doveconf=[str(other)])
    site.govern("smtp")
    assert f"or set doveconf in exports.dovecot to that of the Dovecot that reads {site.dovecot.data}" in site.deploy(
        status=1
    )
