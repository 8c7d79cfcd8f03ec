"""Check that `secrets move` loses no secret, whatever the two keyrings do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands.places import ALICE, LEFT, SERVER
from tests.helpers import Run
from tests.sealing import BACKEND, options, sealed_file

JSON = "tests.backends.Json"


def kept(place: Path) -> dict[str, str]:
    return json.loads((place / "keyring.json").read_text()).get("mailpolicy", {})  # type: ignore[no-any-return]


@pytest.fixture
def plain(place: Path) -> Path:
    """The two secrets in the keyring of the tests' own, and a third that the store does not name."""
    secrets = {ALICE: "one", SERVER: "two", LEFT: "three"}
    (place / "keyring.json").write_text(json.dumps({"mailpolicy": secrets}))
    return place


MOVE = ("secrets", "move", "--from", JSON, "--to", BACKEND)


def test_move(run: Run, plain: Path) -> None:
    keyring = sealed_file(plain)
    use = options(plain)
    assert run(*MOVE, "--dry-run", *use).out == f"{SERVER}\twould move\tchanged\n{ALICE}\twould move\tchanged\n"
    assert len(kept(plain)) == 3
    moved = run(*MOVE, *use)
    assert (moved.status, moved.out) == (0, f"{SERVER}\tmoved\tchanged\n{ALICE}\tmoved\tchanged\n")
    assert keyring.get_many("mailpolicy", [ALICE, SERVER]) == {ALICE: "one", SERVER: "two"}
    assert kept(plain) == {LEFT: "three"}
    assert run(*MOVE, *use).out == f"{SERVER}\tthere already\tok\n{ALICE}\tthere already\tok\n"
    back = run("secrets", "move", "--from", BACKEND, "--to", JSON, *use)
    assert back.status == 0
    assert f'keyring_backend = "{JSON}"' in back.err
    assert len(kept(plain)) == 3
    assert run("secrets", "list", *use).out == ""


def test_move_over_other_secrets(run: Run, plain: Path) -> None:
    keyring = sealed_file(plain)
    keyring.change("mailpolicy", {ALICE: "another"})
    refused = run(*MOVE, *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert ALICE in refused.err
    assert keyring.get_many("mailpolicy", [SERVER]) == {}
    assert len(kept(plain)) == 3
    assert run(*MOVE, "--overwrite", *options(plain)).status == 0
    assert keyring.get_many("mailpolicy", [ALICE]) == {ALICE: "one"}


@pytest.mark.parametrize("target", ["tests.backends.Losing", "tests.backends.Cutting"])
def test_move_into_a_keyring_that_loses(run: Run, place: Path, target: str) -> None:
    keyring = sealed_file(place)
    keyring.change("mailpolicy", {ALICE: "secret of one", SERVER: "secret of two"})
    result = run("secrets", "move", "--from", BACKEND, "--to", target, *options(place))
    assert (result.status, result.out) == (6, "")
    assert "it returned a different value" in result.err
    assert len(keyring.get_many("mailpolicy", [ALICE, SERVER])) == 2


def test_move_to_itself(run: Run, place: Path) -> None:
    assert run("secrets", "move", "--from", JSON, "--to", JSON).status == 2


@pytest.mark.parametrize("names", [(JSON, "tests.backends.Alias"), ("tests.backends.Alias", JSON)], ids=" ".join)
def test_move_where_two_names_lead_to_one_keyring(run: Run, plain: Path, names: tuple[str, str]) -> None:
    before = kept(plain)
    dry = run("secrets", "move", "--from", names[0], "--to", names[1], "--dry-run", *options(plain))
    assert (
        f"note: {names[1]} has the same secrets already; the real run first checks that it is a different keyring"
        in dry.err
    )
    refused = run("secrets", "move", "--from", names[0], "--to", names[1], *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert f"{names[0]} and {names[1]} share one storage" in refused.err
    assert kept(plain) == before


def test_move_between_keyrings_that_remember_what_they_read(run: Run, plain: Path) -> None:
    names, before = ("tests.backends.Remembering", "tests.backends.RememberingToo"), kept(plain)
    refused = run("secrets", "move", "--from", names[0], "--to", names[1], *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert "share one storage" in refused.err
    assert kept(plain) == before
    dry = run("secrets", "move", "--from", names[0], "--to", BACKEND, "--dry-run", *options(plain))
    assert "to use the new keyring" not in dry.err


def test_move_to_a_keyring_that_shows_the_old_one(run: Run, plain: Path) -> None:
    """What it shows is not what it has: the secrets are kept in it before they go."""
    moved = run("secrets", "move", "--from", JSON, "--to", "tests.backends.Layered", *options(plain))
    assert (moved.status, moved.out.count("\tmoved\t")) == (0, 2)
    assert json.loads((plain / "keyring.json.own").read_text()) == {ALICE: "one", SERVER: "two"}
    assert kept(plain) == {LEFT: "three"}


def test_move_where_the_new_keyring_loses_what_the_old_one_gives_up(run: Run, plain: Path) -> None:
    before = kept(plain)
    result = run("secrets", "move", "--from", JSON, "--to", "tests.backends.Sharing", *options(plain))
    assert (result.status, result.out) == (6, "")
    assert "they were restored" in result.err
    assert kept(plain) == before
