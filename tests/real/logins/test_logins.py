"""Check who logs in to a real Dovecot with the exported files, and from where."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from tests.helpers import missing
from tests.real.clients import Attempt
from tests.real.dovecot import MECHANISMS, Dovecot
from tests.real.dovecot_releases import HEADINGS, VERSIONS, release
from tests.real.logins.site import INSIDE, NOTICED, OUTSIDE, REACH, STORE, Mailpolicy, right_attempt

pytestmark = pytest.mark.real

TOKEN = "0123456789abcdef0123456789abcdef"


def _token_file(folder: Path) -> str:
    path = folder / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(
    ("service", "mechanisms"), [("imap", MECHANISMS), ("pop3", ("USER", "APOP", *MECHANISMS))], ids=("imap", "pop3")
)
def test_clients_log_in_with_every_mechanism_from_where_they_may(
    site: Callable[..., Dovecot], tmp_path: Path, service: str, mechanisms: tuple[str, ...]
) -> None:
    server = site(token_file=_token_file(tmp_path))
    tries = []
    for mechanism, (user, reach), ip in product(mechanisms, REACH.items(), (INSIDE, OUTSIDE)):
        tries.append((mechanism, right_attempt(service, user, ip), ip in reach[service == "pop3"]))
    for mechanism, password in product(mechanisms, ("wrong", "*", TOKEN)):
        tries.append((mechanism, Attempt(service, INSIDE, "open@example.com", password), False))
    with ThreadPoolExecutor(24) as clients:
        answers = clients.map(lambda one: server.logs_in(one[1], one[0]), tries)
        assert [one for one, answer in zip(tries, answers, strict=True) if answer is not one[2]] == []


@pytest.mark.parametrize("token", [False, True], ids=("star", "token"))
@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
def test_what_stands_in_the_password_field_is_no_password(
    site: Callable[..., Dovecot], tmp_path: Path, strategy: str, token: bool
) -> None:
    server = site(strategy=strategy, lock=["smtp"], **({"token_file": _token_file(tmp_path)} if token else {}))
    field = re.search(r"^[^#:]+:([^:]*):", server.data.read_text(), re.MULTILINE)
    assert field is not None
    assert field[1] == (TOKEN if token else "*")
    attempts = [
        Attempt(service, INSIDE, user, password)
        for service, user, password in product(("imap", "pop3", "smtp"), REACH, (field[1], "", f"{{PLAIN}}{field[1]}"))
    ]
    assert not any(server.ask(attempts))
    with server.auth() as auth:
        assert auth.cram_md5(right_attempt("imap", "open@example.com"))
        assert not auth.cram_md5(Attempt("imap", INSIDE, "open@example.com", field[1]))


def test_sending_is_closed_only_where_it_is_locked(site: Callable[..., Dovecot], mailpolicy: Mailpolicy) -> None:
    others = ("smtp", "submission", "sieve", "lmtp")
    server = site(lock=["smtp", "sieve"])

    def open_to(user: str) -> list[str]:
        attempts = [right_attempt(service, user, OUTSIDE) for service in others]
        asked = [
            server.doveadm(
                "auth", "test", "-x", f"service={one.service}", "-x", f"rip={one.ip}", one.user, one.password
            )
            for one in attempts
        ]
        answers = server.ask(attempts)
        assert [one.returncode == 0 for one in asked] == answers, asked
        return [service for service, answer in zip(others, answers, strict=True) if answer]

    assert open_to("open@example.com") == list(others)
    assert open_to("off@example.com") == list(others)  # may send, though not read
    assert open_to("gone@example.com") == ["submission", "lmtp"]
    assert open_to("unlisted@example.com") == ["submission", "lmtp"]
    mailpolicy("account", "suspend", "open@example.com")
    mailpolicy("account", "resume", "gone@example.com")
    mailpolicy("deploy")
    time.sleep(NOTICED)
    assert open_to("open@example.com") == ["submission", "lmtp"]
    assert open_to("gone@example.com") == list(others)


def test_other_services_are_untouched_without_a_lock(site: Callable[..., Dovecot]) -> None:
    server = site()
    services = ("smtp", "submission", "sieve", "lmtp", "doveadm")
    attempts = [right_attempt(service, user, OUTSIDE) for service, user in product(services, REACH)]
    assert all(server.ask(attempts))


@pytest.mark.parametrize("command", ["deploy", "export"])
def test_a_change_of_the_same_size_in_the_same_second_takes_effect_without_a_reload(
    site: Callable[..., Dovecot], mailpolicy: Mailpolicy, tmp_path: Path, command: str
) -> None:
    server = site()
    one, other = "open@example.com", "gone@example.com"
    store = tmp_path / "accounts.toml"
    # The other way round: what was suspended is not, and the other is.
    mailpolicy("account", "suspend", one)
    mailpolicy("account", "resume", other)
    second = store.read_bytes()

    def bring() -> os.stat_result:
        if command == "deploy":
            mailpolicy("deploy")
        else:
            mailpolicy("export", "dovecot", "--output", str(server.data))
        return os.stat(server.data)

    bring()
    os.utime(server.data, (0, 0))
    store.write_text(STORE, encoding="utf-8")
    time.sleep(1 - time.time() % 1)  # begin with the second, so that all of it is done in one
    before = bring()
    assert server.ask([right_attempt("imap", one)]) == [True]  # and it has read the file
    store.write_bytes(second)
    after = bring()
    assert after.st_size == before.st_size
    assert int(after.st_mtime) > int(before.st_mtime)
    time.sleep(NOTICED)
    assert server.ask([right_attempt("imap", one), right_attempt("imap", other)]) == [False, True]
    assert "SIGHUP" not in server.log()


@pytest.mark.parametrize(("strategy", "open_without"), [("allow-list", False), ("deny-list", True)])
def test_a_missing_file_lets_nobody_in_unless_whoever_is_not_listed_gets_in(
    site: Callable[..., Dovecot], mailpolicy: Mailpolicy, strategy: str, open_without: bool
) -> None:
    server = site(strategy=strategy, data=False)
    attempts = [right_attempt(service, user) for service, user in product(("imap", "pop3"), REACH)]
    if not open_without:
        assert not any(server.ask(attempts))
    assert all(server.ask([right_attempt("smtp", user) for user in REACH]))
    mailpolicy("deploy")
    time.sleep(NOTICED)
    expected = [
        INSIDE in REACH[one.user][one.service == "pop3"] or (open_without and one.user == "unlisted@example.com")
        for one in attempts
    ]
    assert server.ask(attempts) == expected
    server.data.unlink()
    time.sleep(NOTICED)
    answers = server.ask(attempts)
    assert any(answers) is open_without


def test_a_file_that_dovecot_may_not_read_lets_nobody_in(site: Callable[..., Dovecot]) -> None:
    if os.getuid() != 0:
        missing("run as root: who owns a file can be kept from nothing")
    server = site(data=False)
    server.data.write_text("imap/open@example.com:*::::::\n")
    server.data.chmod(0o600)
    assert not any(server.ask([right_attempt("imap", "open@example.com")] * 3))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
@pytest.mark.parametrize("domain", [None, "bücher.example"])
def test_each_dovecot_takes_its_snippet(
    mailpolicy: Mailpolicy, tmp_path: Path, version: str, strategy: str, domain: str | None
) -> None:
    program = release(version).program("doveconf")
    options = ["--data", "/etc/mailpolicy/passwd", "--lock", "smtp,submission,sieve", "--strategy", strategy]
    options += ["--default-domain", domain] if domain else []
    snippet = mailpolicy("export", "dovecot-conf", "--dovecot", version, *options).out
    settings = tmp_path / "dovecot.conf"
    settings.write_text(f"{HEADINGS[version]}\n{snippet}", encoding="utf-8")
    shown = subprocess.run([program, "-n", "-c", str(settings)], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "doveconf: " not in shown.stderr  # no warning either
    success = "return-fail" if strategy == "deny-list" else "continue-fail"
    assert shown.stdout.count(f"result_success = {success}\n") == 5
    assert len(re.findall("^protocol ", shown.stdout, re.M)) == 5
