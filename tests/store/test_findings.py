"""Compare what `validate` finds in the stores of `invalid` and `advice` with the file beside each."""

from __future__ import annotations

import pytest

from tests.helpers import TESTS, Expected, Run, examples


@pytest.mark.parametrize("name", examples("invalid", "*.toml"))
def test_invalid(name: str, run: Run, expected: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TESTS / "invalid")
    found = run("validate", f"{name}.toml")
    expected(TESTS / "invalid" / f"{name}.txt", found.out)
    assert found.status == 1
    # No hint beside an error: what could be removed is only known of a whole store.
    assert run("validate", f"{name}.toml", "--hints").out == found.out
    # Every other command refuses the same store with the same lines, and gives no verdict.
    checked = run("--file", f"{name}.toml", "check", "alice@example.com", "pop", "10.0.0.1")
    assert checked.status == 3
    errors = [line for line in found.out.splitlines() if ": error[" in line]
    assert checked.err.splitlines()[: len(errors)] == errors
    assert checked.out == ""


@pytest.mark.parametrize("name", examples("advice", "*.toml"))
def test_advice(name: str, run: Run, expected: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TESTS / "advice")
    options = ["--hints"] if name.endswith("hints") else []
    found = run("validate", f"{name}.toml", *options)
    expected(TESTS / "advice" / f"{name}.txt", found.out)
    assert found.status == 0
    strict = run("validate", f"{name}.toml", "--strict", *options)
    assert strict.status == int("warning[" in found.out)
