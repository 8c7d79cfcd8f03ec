"""Dovecot's answers to random questions under random policies, against those of `check`."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import EXAMPLES, Run
from tests.real import tokens
from tests.real.agreement import (
    DEFAULT_DOMAIN,
    PASSWORDS,
    PROTOCOLS,
    TOKEN,
    Case,
    site_passwords,
    typed_name,
    verdicts,
    wrong,
)
from tests.real.clients import Attempt
from tests.real.dovecot import Dovecot

pytestmark = pytest.mark.real

GOVERNED = ((), ("smtp",), ("smtp", "sieve"))
QUESTIONS = 400  # of each policy
ROUNDS = max(1, EXAMPLES // 100)

SETTINGS = [
    {"strategy": strategy, "token": token, "default_domain": domain, "govern": govern}
    for strategy, token, domain, govern in product(
        ("allow-list", "deny-list"), (None, TOKEN), (None, DEFAULT_DOMAIN), GOVERNED
    )
]


def _name(settings: dict[str, Any]) -> str:
    parts = [settings["strategy"], *(key for key in ("token", "default_domain") if settings[key]), *settings["govern"]]
    return "-".join(parts)


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("settings", SETTINGS, ids=_name)
def test_dovecot_answers_what_check_answers(
    dovecot: Dovecot, run: Run, tmp_path: Path, settings: dict[str, Any], number: int
) -> None:
    """Of every governed service, and of the others that everybody gets in: 24 settings, each with QUESTIONS."""
    chance = random.Random(f"{_name(settings)} {number}")
    case = Case(chance, settings["govern"])
    options = {key: settings[key] for key in ("strategy", "default_domain") if settings[key]}
    if settings["token"] is not None:
        token = tmp_path / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        options["token_file"] = str(token)
    _deploy(dovecot, run, tmp_path, case, **options)
    dovecot.let_in(site_passwords(case, settings["default_domain"]))
    dovecot.start()

    attempts, addresses = [], []
    for _ in range(QUESTIONS):
        address = chance.choice(list(case.accounts))
        password = chance.choice((*(case.site.get(address, "?"),) * 4, chance.choice(PASSWORDS), "*", TOKEN, ""))
        named, ip = typed_name(address, settings["default_domain"], chance), case.ip(chance)
        if case.accounts[address] is None and not named.isascii():
            named = address  # the snippet knows the letters of the accounts only
        attempts.append(Attempt(chance.choice((*PROTOCOLS, "lmtp")), ip, named, password))
        addresses.append(address)
    allowed = verdicts(run, tmp_path, case, attempts, addresses)
    expected = []
    for attempt, address, verdict in zip(attempts, addresses, allowed, strict=True):
        # Who is not listed gets in under deny-list, whatever check says.
        passes = verdict or (settings["strategy"] == "deny-list" and case.accounts[address] is None)
        expected.append(passes and attempt.password == case.site.get(address))
    answers = dovecot.ask(attempts)
    assert wrong(attempts, expected, answers) == []
    assert any(answers)
    assert not all(answers)


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("govern", GOVERNED, ids=lambda govern: "-".join(govern) or "none")
@pytest.mark.parametrize("mechanism", tokens.MECHANISMS)
def test_dovecot_answers_bearers_of_tokens_what_check_answers(
    dovecot: Dovecot, run: Run, tmp_path: Path, mechanism: str, govern: tuple[str, ...], number: int
) -> None:
    chance = random.Random(f"{mechanism} {govern} {number}")
    case = Case(chance, govern)
    _deploy(dovecot, run, tmp_path, case)
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
        answers = auth.ask(attempts, mechanism)
    assert wrong(attempts, expected, answers) == []
    assert any(answers)
    assert not all(answers)


def _deploy(dovecot: Dovecot, run: Run, folder: Path, case: Case, **options: str) -> None:
    store, host = folder / "accounts.toml", folder / "host.toml"
    store.write_text(case.text, encoding="utf-8")
    host.write_text(dovecot.exports(**options), encoding="utf-8")
    deployed = run("--file", str(store), "--host-config", str(host), "deploy")
    assert deployed.status == 0, deployed
