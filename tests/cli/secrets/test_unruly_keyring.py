"""Check that what a keyring does besides its work changes nothing, and that nonsense is no answer."""

from __future__ import annotations

import json

import pytest

from tests.machine import ALICE, FIRST, SECOND, Machine, user

UNRULY = ("--keyring-backend", "tests.unruly.Unruly")
# They print, fail where nobody can catch it, go elsewhere, or leave a thread for which Python would wait.
BESIDES = ["get say", "set program_says", "get warn", "set record", "get thread", "set abandoned", "get leaving"]
BESIDES += ["set chdir", "get blind", "set close", "get waiting", "get pool"]


@pytest.mark.parametrize("unruly", BESIDES)
def test_what_it_does_besides_its_work(changed: Machine, unruly: str) -> None:
    """The data is what it is without, in the store that was named before, and no text of an exception is printed."""
    command = ("smart-host", "set", ALICE, "--login", "new", "--password-stdin", "--json", "--file", "accounts.toml")
    result = changed.run(*command, *UNRULY, stdin=SECOND, environment={"TEST_UNRULY": unruly})
    assert result.status == 0
    assert json.loads(result.out)["schema"] == "mailpolicy.edit/1"
    assert ("the keyring says" in result.err) is ("say" in unruly)
    assert "secret" not in result.err
    assert changed.kept() == {user(ALICE): SECOND}
    assert 'smart_host_login = "new"' in changed.store.read_text()


@pytest.mark.parametrize("answer", ["bytes", "number", "true", "list", "class", "surrogate"])
def test_an_answer_that_is_no_text(changed: Machine, answer: str) -> None:
    before = changed.untouched()
    for command in (
        ("smart-host", "set", ALICE, "--login", "new", "--password-stdin"),
        ("export", "postfix-sasl-passwd"),
        ("account", "remove", ALICE),
    ):
        result = changed.run(*command, *UNRULY, stdin=SECOND, environment={"TEST_UNRULY": f"get {answer}"})
        assert (result.status, result.out) == (6, "")
        assert f"the keyring returned no text for the secret {user(ALICE)}" in result.err
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.untouched() == before


def test_closed_streams(changed: Machine) -> None:
    """Without stdout or stderr there is nothing to redirect."""
    for closed in ("1>&-", "2>&-"):
        line = f'exec "$@" {closed}'
        result = changed.run("secrets", "verify", prefix=["sh", "-c", line, "sh"])
        assert result.status == (74 if closed.startswith("1") else 0)
