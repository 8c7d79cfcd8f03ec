"""Check what `deploy` makes of [exports.NAME] in host.toml, what it refuses, and what it owes."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from tests.helpers import Result, Run


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('path = "/x"', "the key target is missing"),
        ('target = "dovcot"\npath = "/x"', "did you mean dovecot?"),
        ('target = "dovecot"', "path must be an absolute path"),
        ('target = "dovecot"\npath = "x"', "path must be an absolute path"),
        ('target = "dovecot"\npath = "/x\\u0000"', "path must be an absolute path"),
        ('target = "dovecot"\npath = "/x"\ntoken_file = "token"', "token_file must be an absolute path"),
        ('target = "dovecot"\npath = "/x"\nmod = "0640"', "did you mean mode?"),
        ('target = "dovecot"\npath = "/x"\nmode = 640', "mode must be an octal string"),
        ('target = "dovecot"\npath = "/x"\nmode = "0666"', "lets other users write"),
        ('target = "fetchmail"\npath = "/x"\nmode = "0644"', "read the passwords"),
        ('target = "dovecot"\npath = "/x"\nowner = "nobody:no such group"', 'owner must be "user"'),
        ('target = "dovecot"\npath = "/x"\nowner = "nobody:nosuchgroup"', "no such user or group"),
        ('target = "dovecot"\npath = "/x"\nowner = "0:4294967295"', "not the number of a user or group"),
        ('target = "dovecot"\npath = "/x"\nowner = ":²"', "not the number of a user or group"),
        ('target = "dovecot"\npath = "/x"\nreload = "doveadm reload"', "reload must be a command as an array"),
        ('target = "dovecot"\npath = "/x"\nreload = []', "reload must be a command as an array"),
        ('target = "dovecot"\npath = "/x"\nlock = ["smtp"]', "lock is no longer an option"),
        ('target = "dovecot"\npath = "/x"\nstrategy = "both"', "strategy must be allow-list or deny-list"),
        ('target = "dovecot-conf"\npath = "/x"', "needs data"),
        ('target = "dovecot-conf"\npath = "/x"\ndata = "/y"\ndefault_domain = "a b"', "is not a domain name"),
        ('target = "postfix-sasl-passwd"\npath = "/x"\npostmap = "texthash"', "postmap must be lmdb or hash or cdb"),
        ('target = "fetchmail"\npath = "/x"\nsmtp = "localhost:25"', "is not a host"),
        ('target = "getmail"\npath = "/x"\nsource = "gmx"', "is not an address"),
    ],
)
def test_a_wrong_export_is_named(keys: str, message: str, deploy: Run) -> None:
    refused = deploy(f"[exports.web]\n{keys}\n")
    assert refused.status == 3
    assert re.search("host.toml:[1-5]: exports.web: ", refused.err)
    assert message in refused.err
    assert refused.out == ""


def test_data_and_the_snippet_that_reads_them_are_of_one_kind(deploy: Run) -> None:
    key = 'strategy = "deny-list"'
    data, conf = (
        'target = "dovecot"\npath = "{}/d"\n',
        'target = "dovecot-conf"\npath = "{}/c"\ndata = "{}/d"\ndoveconf = ["/nonexistent"]\n',
    )
    refused = deploy(f"[exports.data]\n{data}{key}\n[exports.conf]\n{conf}")
    assert refused.status == 3
    assert f"{key.split()[0]} differs from exports.data" in refused.err
    assert deploy(f"[exports.data]\n{data}{key}\n[exports.conf]\n{conf}{key}\n").status == 0


def test_a_bad_token_stops_no_other_export(deploy: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("")
    text = '[exports.t]\ntarget = "dovecot"\npath = "{}/t"\ntoken_file = "{}/token"\n' + TWO
    for state in ("empty", "missing"):
        mixed = deploy(text)
        assert mixed.status == 5, state
        assert "not updated, old file kept\tfailed" in mixed.out
        assert mixed.out.count("\tupdated\t" if state == "empty" else "\tup to date\t") == 2
        (tmp_path / "token").unlink(missing_ok=True)


@pytest.mark.parametrize("own", ["accounts.toml", "host.toml"])
def test_the_policy_is_not_replaced_by_what_is_made_of_it(own: str, deploy: Run, tmp_path: Path) -> None:
    text = f'[exports.x]\ntarget = "dovecot"\npath = "{{}}/{own}"\n'
    before = (tmp_path / "accounts.toml").read_bytes()
    assert deploy(text).status == 5
    assert deploy(text, "export", "dovecot", "--output", own, "--force").status == 5
    assert (tmp_path / "accounts.toml").read_bytes() == before
    assert (tmp_path / "host.toml").read_text() == text.replace("{}", str(tmp_path))


def test_no_hand_edit_is_lost(deploy: Run, tmp_path: Path) -> None:
    text = '[exports.a]\ntarget = "dovecot"\npath = "{}/a"\nmode = "0600"\n'
    for content in ("the work of a week\n", "another week\n", "the work of a week\n"):
        (tmp_path / "a").write_text(content)
        assert deploy(text).status == 0
    kept = [tmp_path / name for name in ("a.edited", "a.edited.1")]
    assert [path.read_text() for path in kept] == ["the work of a week\n", "another week\n"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600, 0o600]
    assert not (tmp_path / "a.edited.2").exists()


def test_a_kick_is_owed_until_it_succeeds(deploy: Run, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    kick = tmp_path / "kick"
    kick.write_text(
        f'#!/bin/sh\necho "$1" >> {asked}\n[ ! -e {tmp_path}/down ] || {{ echo "no anvil" >&2; exit 75; }}\n'
    )
    kick.chmod(0o755)
    text = '[exports.a]\ntarget = "dovecot"\npath = "{}/a"\nkick = ["{}/kick"]\n'
    deploy(text, "pop", "anywhere", "alice@example.com")
    assert deploy(text).status == 0
    deploy(text, "pop", "lan-only", "alice@example.com")
    said = deploy(text)
    assert "open sessions of alice@example.com continue: mailpolicy deploy --kick" in said.err
    (tmp_path / "down").touch()
    failed = deploy(text, "deploy", "--kick")
    assert failed.status == 5
    assert "failed (exit 75): no anvil" in failed.err
    (content,) = map(json.loads, deploy(text, "deploy", "--kick", "--json").out.splitlines())
    assert (content["kicked"], len(content["not_kicked"])) == ([], 1)
    (tmp_path / "down").unlink()
    assert "kicked: alice@example.com" in deploy(text, "deploy", "--kick").err
    assert asked.read_text() == "alice@example.com\n" * 3
    deploy(text, "deploy", "--kick")
    assert asked.read_text() == "alice@example.com\n" * 3


@pytest.mark.parametrize(
    ("closing", "opening"),
    [
        (("pop", "off", "alice@example.com"), ("pop", "on", "alice@example.com")),
        (("server", "govern", "smtp"), ("server", "ungovern", "smtp", "--yes")),
    ],
)
def test_no_kick_is_owed_to_who_has_the_access_again(
    deploy: Run, tmp_path: Path, closing: tuple[str, ...], opening: tuple[str, ...]
) -> None:
    text = '[exports.a]\ntarget = "dovecot"\npath = "{}/a"\nkick = ["false"]\n'
    continues = "open sessions of alice@example.com"
    deploy(text, "pop", "on", "alice@example.com", "--anywhere")
    deploy(text, "smtp", "on", "--in-defaults", "--lan-only")
    deploy(text)
    assert deploy(text, *closing).status == 0
    assert continues in deploy(text).err
    assert deploy(text, *opening).status == 0
    assert continues not in deploy(text).err
    assert deploy(text, "deploy", "--kick").status == 0
    assert not (tmp_path / "a.kick").exists()


def test_two_exports_of_one_path(deploy: Run) -> None:
    export = 'target = "dovecot"\npath = "/x"\n'
    other = export.replace("/x", "/y/../x")
    assert "path is also the path of exports.a" in deploy(f"[exports.a]\n{export}[exports.b]\n{other}").err


def test_nothing_to_deploy_is_said(deploy: Run) -> None:
    assert deploy("").status == 3
    assert deploy('[exports.a]\ntarget = "dovecot"\npath = "{}/a"\n', "deploy", "b").status == 4


TWO = '[exports.a]\ntarget = "dovecot"\npath = "{}/new/a"\nmode = "0644"\n[exports.b]\ntarget = "mpop"\npath = "{}/b"\n'


def test_deploy_and_check(deploy: Run, tmp_path: Path) -> None:
    assert "+imap/alice@example.com:" in deploy(TWO, "deploy", "--diff").out
    drift = deploy(TWO, "deploy", "--check")
    assert (drift.status, drift.out.count("missing\tdiffers")) == (1, 2)
    assert not (tmp_path / "new").exists()
    (content,) = map(json.loads, deploy(TWO, "deploy", "--check", "--json").out.splitlines())
    assert [(one["state"], one["differs"]) for one in content["exports"]] == [("missing", True)] * 2
    (content,) = map(json.loads, deploy(TWO, "deploy", "--json").out.splitlines())
    assert [(one["state"], one["changed"], one["differs"]) for one in content["exports"]] == [
        ("missing", True, False)
    ] * 2
    (tmp_path / "new" / "a").unlink()
    (tmp_path / "b").unlink()
    assert deploy(TWO, "deploy").out.count("\tchanged\n") == 2
    assert stat.S_IMODE((tmp_path / "new" / "a").stat().st_mode) == 0o644
    assert deploy(TWO, "deploy").out.count("\tok\n") == 2
    assert deploy(TWO, "deploy", "--diff").out == ""
    assert deploy(TWO, "deploy", "--check").status == 0
    (tmp_path / "new" / "a").chmod(0o640)
    assert deploy(TWO, "deploy", "--check").status == 1
    assert deploy(TWO, "deploy", "a").out.count("\tchanged\n") == 1
    assert deploy(TWO, "deploy", "--check").status == 0
    (content,) = map(json.loads, deploy(TWO, "deploy", "--json").out.splitlines())
    assert content["schema"] == "mailpolicy.deploy/1"
    assert [(one["name"], one["changed"], one["differs"]) for one in content["exports"]] == [
        ("a", False, False),
        ("b", False, False),
    ]


def test_an_edit_says_that_it_is_not_in_force(deploy: Run, tmp_path: Path) -> None:
    off = ("imap", "off", "bob@example.com")
    assert "not in force yet" not in deploy(TWO, *off, "--dry-run").err
    assert (
        f"not in force yet: mailpolicy deploy --file {tmp_path}/accounts.toml --host-config {tmp_path}/host.toml\n"
        in deploy(TWO, *off).err
    )
    assert "not in force yet" not in deploy(TWO, *off).err
    assert "not in force yet" not in deploy("", "imap", "on", "bob@example.com").err


POSTMAP = """#!/bin/sh
case "$1" in
lmdb:*) path="${1#lmdb:}"; [ -e "$path" ] && cp "$path" "$path.lmdb" ;;
*) echo "unsupported map: $1" >&2; exit 1 ;;
esac
"""


def test_a_map_that_is_missing_is_owed(deploy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "postmap"
    program.parent.mkdir()
    program.write_text(POSTMAP)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    export = ("export", "postfix-sender-login", "--output", "map", "--postmap")
    assert deploy("", *export, "lmdb").out.endswith("\tchanged\n")
    assert deploy("", *export, "lmdb").out.endswith("\tok\n")
    (tmp_path / "map.lmdb").unlink()
    assert deploy("", *export, "lmdb", "--check").status == 1
    assert deploy("", *export, "lmdb").out.endswith("\tchanged\n")
    assert (tmp_path / "map.lmdb").exists()
    # A map that cannot be made is owed, and that is said again and again until it can.
    for _ in range(2):
        failed = deploy("", *export, "hash")
        assert failed.status == 5
        assert "unsupported map" in failed.err


def result_line(result: Result, name: str) -> list[str]:
    (found,) = [line.split("\t") for line in result.out.splitlines() if line.startswith(f"{name}\t")]
    return found[2:]


THREE = "".join(f'[exports.{name}]\ntarget = "dovecot"\npath = "{{}}/{name}/out"\n' for name in "abc")


def test_what_was_done_is_said_whatever_ends_the_run(program: Run, store: Path, tmp_path: Path) -> None:
    killed = THREE.replace('b/out"\n', 'b/out"\nreload = ["sh", "-c", "kill $PPID"]\n')
    (tmp_path / "host.toml").write_text(killed.replace("{}", str(tmp_path)))
    result = program("--file", str(store), "--host-config", "host.toml", "deploy")
    assert result.status == 143
    assert result_line(result, "a") == ["updated", "changed"]
    assert not (tmp_path / "c").exists()


def test_a_snippet_stops_asking_before_a_database_loses_the_rows(run: Run, tmp_path: Path) -> None:
    """And it begins to ask after the database has them."""
    store, host = tmp_path / "accounts.toml", tmp_path / "host.toml"
    host.write_text(
        f"""[exports.table]
target = "sql"
dialect = "sqlite"
path = "{tmp_path}/policy.sql"
[exports.snippet]
target = "dovecot-sql-conf"
dialect = "sqlite"
dovecot = "2.4"
path = "{tmp_path}/snippet.conf"
data = "/etc/dovecot/database.conf"
doveconf = ["/no/such/doveconf"]
"""
    )
    for govern, order in (
        ('["smtp"]', ["table", "snippet"]),
        ("[]", ["snippet", "table"]),
        ('["sieve"]', ["table", "snippet"]),
    ):
        store.write_text(
            f"version = 1\n[server]\ngovern = {govern}\n[defaults]\nimap = true\nsmtp = true\nsieve = true\n"
        )
        deployed = run("--file", str(store), "--host-config", str(host), "deploy")
        assert (deployed.status, [line.split("\t")[0] for line in deployed.out.splitlines()]) == (0, order)
    # A snippet that cannot be read fails by itself.
    (tmp_path / "snippet.conf").unlink()
    (tmp_path / "snippet.conf").mkdir()
    (tmp_path / "policy.sql").unlink()
    deployed = run("--file", str(store), "--host-config", str(host), "deploy")
    assert deployed.status != 0
    assert (tmp_path / "policy.sql").exists()
