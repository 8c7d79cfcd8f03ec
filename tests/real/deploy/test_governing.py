"""A running Dovecot while a store begins and ends to govern services: nothing opens or closes that stays as it is."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.real.deploy.governing import ALL, SENDS, SUSPENDED_TOO, USERS, Site, expected_open, until_open
from tests.real.deploy.site import Mailpolicy, checked
from tests.real.dovecot import Dovecot

pytestmark = pytest.mark.real


@pytest.fixture
def site(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> Site:
    return Site(dovecot, mailpolicy, tmp_path)


CHANGES = [
    ((), ("smtp",)),
    (("smtp",), ()),
    (("smtp",), ("sieve",)),
    (("sieve",), ("smtp", "sieve")),
    (("smtp", "sieve"), ()),
]


@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_nothing_opens_or_closes_that_stays_as_it_is(
    site: Site, before: tuple[str, ...], after: tuple[str, ...], strategy: str
) -> None:
    site.start(*before, strategy=strategy)
    assert {user: site.open_to(user) for user in USERS} == {user: expected_open(user, before) for user in USERS}
    with site.watched() as seen:
        site.govern(*after)
        site.deploy()
        for user in USERS:
            until_open(site, user, expected_open(user, after))
    for (service, user), answers in seen.items():
        was, now = service in expected_open(user, before), service in expected_open(user, after)
        assert answers <= {was, now}, (service, user)
    assert len(seen) == len(USERS) * len(ALL)
    site.deploy("--check")
    assert site.deploy().count("\tok\n") == 2
    assert checked(site.mailpolicy)[0] == "ok"


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
        until_open(site, user, expected_open(user, ()))


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
        until_open(site, user, expected_open(user, ()))


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
        assert site.open_to(user) == expected_open(user, ("smtp",))
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
    assert [site.open_to(user) for user in USERS] == [expected_open(user, ("smtp",)) for user in USERS]
    broken.unlink()
    site.deploy()
    for user in USERS:
        until_open(site, user, expected_open(user, ()))


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
