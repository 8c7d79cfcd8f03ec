"""The answers of a Dovecot that asks a database, to random questions under random policies, against those of `check`."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest

from mailpolicy.export.request import DIALECTS
from tests.helpers import EXAMPLES, Run
from tests.real import tokens
from tests.real.agreement import (
    DEFAULT_DOMAIN,
    PASSWORDS,
    PROTOCOLS,
    Case,
    site_passwords,
    typed_name,
    verdicts,
    wrong,
)
from tests.real.clients import Attempt
from tests.real.dovecot import MECHANISMS, Dovecot
from tests.real.dovecot_releases import VERSIONS
from tests.real.sql.databases import Database
from tests.real.sql.site import STORE, deploy

pytestmark = pytest.mark.real

GOVERNED = ((), ("smtp",), ("smtp", "sieve"))
QUESTIONS = 400  # of each policy
ROUNDS = max(1, EXAMPLES // 100)
HOSTILE = (
    "' OR '1'='1",
    "x' OR address LIKE '%",
    "\\' OR 1=1 -- ",
    "%u",
    "%{user}",
    "a\\",
    "alice@example.com ",
    "ü'\"",
    "\ufeffa",
)


def test_dovecot_answers_what_check_answers(dovecot: Dovecot, database: Database, run: Run, tmp_path: Path) -> None:
    """One database and one Dovecot after another, with every default domain and set of governed services."""
    for domain, govern, number in product((None, DEFAULT_DOMAIN), GOVERNED, range(ROUNDS)):
        chance = random.Random(f"{database.dialect} {domain} {govern} {number}")
        case = Case(chance, govern)
        deployed = deploy(run, tmp_path, case.text, dovecot, database, **({"default_domain": domain} if domain else {}))
        assert deployed.status == 0, deployed
        dovecot.let_in(site_passwords(case, domain) | dict.fromkeys(HOSTILE, "secret"))
        dovecot.start()
        attempts, addresses = [], []
        for _ in range(QUESTIONS):
            address = chance.choice(list(case.accounts))
            password = chance.choice((*(case.site.get(address, "?"),) * 4, chance.choice(PASSWORDS), "*", ""))
            named, ip = typed_name(address, domain, chance), case.ip(chance)
            if case.accounts[address] is None and not named.isascii():
                named = address  # the snippet knows the letters of the accounts only
            attempts.append(Attempt(chance.choice((*PROTOCOLS, "lmtp")), ip, named, password))
            addresses.append(address)
        allowed = verdicts(run, tmp_path, case, attempts, addresses)
        expected = [
            verdict and attempt.password == case.site.get(address)
            for attempt, address, verdict in zip(attempts, addresses, allowed, strict=True)
        ]
        # Not all at once: the processes that ask MariaDB and SQLite are few, and a request may wait only so long for one.
        answers = [answer for first in range(0, QUESTIONS, 20) for answer in dovecot.ask(attempts[first : first + 20])]
        assert wrong(attempts, expected, answers) == [], dovecot.log()[-4000:]
        assert any(answers)
        assert not all(answers)
        assert not any(
            dovecot.ask(
                [Attempt(service, "127.0.0.1", name, "secret") for service in ("imap", "pop3") for name in HOSTILE]
            )
        )
        dovecot.stop()


def test_every_mechanism_lets_in_whom_check_allows(
    dovecot: Dovecot, database: Database, run: Run, tmp_path: Path
) -> None:
    """By real clients: some mechanisms compare the password, others compute with it."""
    assert deploy(run, tmp_path, STORE, dovecot, database).status == 0
    dovecot.let_in({f"{name}@example.com": "secret" for name in ("any", "lan", "off")})
    dovecot.start()
    wanted = {("any", "127.0.0.1"), ("lan", "127.0.0.1"), ("any", "127.5.5.5")}
    for mechanism in MECHANISMS:
        for name, ip, password in product(("any", "lan", "off"), ("127.0.0.1", "127.5.5.5"), ("secret", "*")):
            attempt = Attempt("imap", ip, f"{name}@example.com", password)
            expected = (name, ip) in wanted and password == "secret"
            assert dovecot.logs_in(attempt, mechanism) is expected, (mechanism, attempt)


# Dovecot 2.3's auth process ends with a panic at the start where a passdb oauth2 stands beside PostgreSQL.
@pytest.mark.parametrize(
    ("dovecot", "database"), sorted({*product(VERSIONS, DIALECTS)} - {("2.3", "postgresql")}), indirect=True
)
@pytest.mark.parametrize("mechanism", tokens.MECHANISMS)
def test_dovecot_answers_bearers_of_tokens_what_check_answers(
    dovecot: Dovecot, database: Database, run: Run, tmp_path: Path, mechanism: str
) -> None:
    chance = random.Random(f"{database.dialect} {mechanism}")
    case = Case(chance, ("smtp", "sieve"))
    assert deploy(run, tmp_path, case.text, dovecot, database).status == 0
    tokens.let_in_by_token(dovecot)
    dovecot.let_in(site_passwords(case, None))
    dovecot.start()
    plain = [address for address in case.accounts if "=" not in address]  # OAUTHBEARER escapes it
    addresses = [chance.choice(plain) for _ in range(QUESTIONS)]
    bearers = [address if chance.random() < 0.9 else "somebody.else@example.com" for address in addresses]
    attempts = [
        Attempt(chance.choice(list(PROTOCOLS)), case.ip(chance), address, tokens.token(bearer))
        for address, bearer in zip(addresses, bearers, strict=True)
    ]
    allowed = verdicts(run, tmp_path, case, attempts, addresses)
    expected = [verdict and one == of for verdict, one, of in zip(allowed, addresses, bearers, strict=True)]
    with dovecot.auth() as auth:
        answers = [
            answer for first in range(0, QUESTIONS, 20) for answer in auth.ask(attempts[first : first + 20], mechanism)
        ]
    assert wrong(attempts, expected, answers) == [], dovecot.log()[-4000:]
    assert any(answers)
    assert not all(answers)
