"""A running Dovecot while a store begins and ends to govern services: nothing opens or closes that stays as it is."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.real.deploy.governing import OTHERS, SUSPENDED_TOO, USERS, Site
from tests.real.deploy.site import Mailpolicy, all_checked, checked
from tests.real.dovecot import Dovecot
from tests.real.loopback import until

pytestmark = pytest.mark.real


@pytest.fixture
def site(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> Site:
    return Site(dovecot, mailpolicy, tmp_path)


ALL = {"imap", "pop3", *OTHERS}
SENDS = {"smtp", "submission"}
CHANGES = [
    ((), ("smtp",)),
    (("smtp",), ()),
    (("smtp",), ("sieve",)),
    (("sieve",), ("smtp", "sieve")),
    (("smtp", "sieve"), ()),
]


def _open(user: str, govern: tuple[str, ...]) -> set[str]:
    """The services that are open to a user of STORE."""
    free = {one for one in OTHERS if ("sieve" if one == "sieve" else "smtp") not in govern}
    return free | {"on@example.com": ALL, "reads@example.com": {"imap"}}.get(user, set())


@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_nothing_opens_or_closes_that_stays_as_it_is(
    site: Site, before: tuple[str, ...], after: tuple[str, ...], strategy: str
) -> None:
    site.start(*before, strategy=strategy)
    assert {user: site.open_to(user) for user in USERS} == {user: _open(user, before) for user in USERS}
    with site.watched() as seen:
        site.govern(*after)
        site.deploy()
        for user in USERS:
            until_open(site, user, _open(user, after))
    for (service, user), answers in seen.items():
        was, now = service in _open(user, before), service in _open(user, after)
        assert answers <= {was, now}, (service, user)
    assert len(seen) == len(USERS) * len(ALL)
    site.deploy("--check")
    assert site.deploy().count("\tok\n") == 2
    assert checked(site.mailpolicy)[0] == "ok"


def until_open(site: Site, user: str, services: set[str]) -> None:
    """Wait until exactly these services are open to the user; a changed file is noticed within a second or two."""
    until(f"{sorted(services)} are open to {user}", lambda: site.open_to(user) == services)


def test_what_is_no_longer_covered_goes_an_hour_after_the_reload(site: Site) -> None:
    site.start("smtp")
    site.govern()
    assert SUSPENDED_TOO in site.deploy()
    site.deploy("--check")
    assert site.deploy().count("\tok\n") == 2
    assert site.kept() == "since"
    site.let_pass(minutes=59)
    assert site.deploy("--check").count("\tok\n") == 2
    site.let_pass(minutes=2)
    assert "out of date\tdiffers" in site.deploy("--check", status=1)
    site.deploy()
    assert site.kept() == ""
    assert site.deploy().count("\tok\n") == 2


def test_the_hour_begins_with_the_reload(site: Site) -> None:
    site.start("smtp")
    site.govern()
    host = site.host.read_text()
    site.host.write_text(re.sub("(?m)^reload = .*", 'reload = ["false"]', host))
    for _ in range(2):
        site.deploy(status=5)
    assert checked(site.mailpolicy)[0] == "warning"
    os.utime(site.dovecot.snippet, (0, 0))
    assert site.kept() == "waiting"
    site.host.write_text(host)
    site.deploy()
    site.deploy()
    assert site.kept() == "since"
    for user in USERS:
        until_open(site, user, _open(user, ()))


def test_a_snippet_that_somebody_replaced_is_reloaded_before_the_hour_begins(site: Site) -> None:
    site.start("smtp")
    site.govern()
    made = site.export_snippet()
    assert SUSPENDED_TOO in made
    assert "doveadm reload" in made
    assert site.open_to("off@example.com") == {"sieve"}
    site.deploy()
    assert site.kept() == "since"
    for user in USERS:
        until_open(site, user, _open(user, ()))


def test_the_hour_ends_for_nothing_if_dovecot_asks_again(site: Site) -> None:
    site.start("smtp")
    asking = site.dovecot.snippet.read_text()
    site.govern()
    site.deploy()
    site.let_pass(minutes=120)
    again = site.dovecot.folder / "conf.d" / "01-again.conf"
    again.write_text(re.sub("mailpolicy-(?=imap|pop3|smtp|submission)", "again-", asking))
    site.mailpolicy("deploy")
    assert site.kept() == "waiting"


@pytest.mark.parametrize("case", ["by hand", "no doveconf", "another's doveconf", "broken", "no reload"])
def test_what_is_no_longer_covered_stays_for_good_if_nobody_knows_what_dovecot_asks(
    site: Site, tmp_path: Path, case: str
) -> None:
    """Dovecot, which nobody reloads, still asks about smtp: nobody is locked out, and the file is not written anew."""
    site.start("smtp")
    reloading = case in ("no doveconf", "another's doveconf")
    host = site.dovecot.exports(reload=reloading)
    site.host.write_text(host)
    if case in ("by hand", "broken"):
        site.by_hand()
    elif case != "no reload":
        other = tmp_path / "doveconf"
        if case == "another's doveconf":
            (tmp_path / "dovecot.conf").write_text("")
            other.write_text(f"#!/bin/sh\necho '# {site.dovecot.release.version}.0 (x): {tmp_path}/dovecot.conf'\n")
            other.chmod(0o755)
        host = re.sub("(?m)^doveconf = .*", f'doveconf = ["{other}"]', host)
        site.host.write_text(re.sub("(?m)^reload = .*", 'reload = ["true"]', host))
    site.govern()
    if case == "broken":
        (site.dovecot.folder / "conf.d" / "99-broken.conf").write_text("no_such_setting = 1\n")
    written: set[int] = set()
    for number in range(3):
        result = site.mailpolicy("deploy")
        written.add(site.dovecot.data.stat().st_mtime_ns)
        assert result.status == {"by hand": 1, "broken": 5, "another's doveconf": 5}.get(case, 0), result
        if case == "no reload":
            assert ("doveadm reload" in result.err) is (number == 0)
        assert site.kept() == "waiting"
        os.utime(site.dovecot.snippet, (0, 0))
    assert len(written) == 1
    for user in USERS:
        assert site.open_to(user) == _open(user, ("smtp",))
    checks = json.loads(site.mailpolicy("doctor", "--json").out)["checks"]
    (line,) = [one["fix"] for one in checks if "still has the lines of smtp, submission" in one["message"]]
    words = shlex.split(line.removeprefix("mailpolicy "))
    assert site.mailpolicy(*words).status == 0
    assert site.kept() == ""
    site.mailpolicy("deploy")
    assert site.kept() == ""


def test_the_data_stay_for_a_snippet_that_cannot_be_replaced(site: Site) -> None:
    site.start("smtp")
    site.govern()
    broken = site.dovecot.folder / "conf.d" / "99-broken.conf"
    broken.write_text("no_such_setting = 1\n")
    for _ in range(2):
        assert "Dovecot would not start" in site.deploy(status=5)
    os.utime(site.dovecot.snippet, (0, 0))
    site.deploy(status=5)
    assert [site.open_to(user) for user in USERS] == [_open(user, ("smtp",)) for user in USERS]
    broken.unlink()
    site.deploy()
    for user in USERS:
        until_open(site, user, _open(user, ()))


def test_the_snippet_waits_for_data_that_cannot_be_written(site: Site) -> None:
    site.start()
    site.govern("smtp")
    host, before = site.host.read_text(), site.dovecot.snippet.read_bytes()
    site.host.write_text(host.replace("[exports.dovecot]\n", '[exports.dovecot]\ntoken_file = "/nonexistent"\n'))
    for names in ((), ("dovecot-conf",)):
        assert "does not cover smtp, submission yet" in site.deploy(*names, status=5)
    assert site.dovecot.snippet.read_bytes() == before
    assert site.open_to("off@example.com") >= SENDS
    site.host.write_text(host)
    site.deploy()
    assert site.open_to("off@example.com") == {"sieve"}


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
            until_open(site, user, _open(user, after))


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
        until_open(site, user, _open(user, ("smtp",)))


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
