"""The command apply: one edit that creates, changes and removes, previewed and repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Result, Run

STORE = (
    MINIMAL
    + """\
[accounts."carol@other.example"]
[accounts."dora@example.com"]
pop = true
# until she is back
[accounts."dora@example.com".temporary]
until = 2099-12-31
pop = true
imap = false
[templates.staff]
[networks]
branch = ["203.0.113.0/24"]
"""
)
PLAN = """\
address,pop,pop-lan-only,template,suspended,expires,extra_lan
alice@example.com,OFF,Inherit,staff,yes,2099-12-31,branch
bob@example.com,,,,no,inherit,
new@example.com,1,,inherit,,2099-12-31T18:00:00+01:00,-
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text(STORE)
    return path


@pytest.fixture
def apply(run: Run, path: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def apply(plan: str, *more: str, name: str = "plan.csv") -> Result:
        (tmp_path / name).write_bytes(plan.encode())
        return run("apply", name, *more, "--file", "accounts.toml")

    return apply


LISTED = """\
alice@example.com	change	pop = false (was true), no pop_lan_only (was true), template = 'staff', suspended = true, \
expires = 2099-12-31, extra_lan = ['branch']	changed
bob@example.com	unchanged	-	ok
new@example.com	create	pop = true, expires = 2099-12-31T18:00:00+01:00, extra_lan = []	changed
"""


def test_the_dry_run_prints_what_the_run_does(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    before = path.read_bytes()
    assert apply(PLAN, "--dry-run") == (0, LISTED, "create 1, change 1, remove 0, unchanged 1\n")
    assert path.read_bytes() == before
    planned = json.loads(apply(PLAN, "--dry-run", "--json").out)
    assert apply(PLAN).out == LISTED
    assert planned["plan"] == {
        "change": ["alice@example.com"],
        "unchanged": ["bob@example.com"],
        "create": ["new@example.com"],
    }
    assert planned["access"] == "both"
    assert {"address": "alice@example.com", "key": "pop", "old": True, "new": False} in planned["changes"]
    assert '+[accounts."new@example.com"]\n' in planned["diff"]
    assert path.read_text() == STORE.replace(
        "pop = true\npop_lan_only = true\n",
        'pop = false\ntemplate = "staff"\nsuspended = true\nexpires = 2099-12-31\nextra_lan = ["branch"]\n',
    ).replace(
        "imap = false\n[templates",
        'imap = false\n[accounts."new@example.com"]\npop = true\nexpires = 2099-12-31T18:00:00+01:00\nextra_lan = []\n[templates',
    )
    facts = path.stat()
    again = apply(PLAN)
    assert (again.status, again.err) == (0, "create 0, change 0, remove 0, unchanged 3\n")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)


# name: (the form, a plan); `version` and a comment are the beginnings of an export and of what people write
FORMS = {
    "csv": ("csv", "\ufeffAddress , pop\r\n\r\nALICE@example.com,off\r\n"),
    "ndjson": ("ndjson", '\n{"pop": false, "address": "alice@example.com"}\n'),
    "toml": ("toml", '[accounts."alice@example.com"]\npop = false\n'),
    "toml-comment": ("toml", '\ufeff# who may use what\n[accounts."alice@example.com"]\npop = false\n'),
    "toml-version": ("toml", 'version = 1\n[accounts."alice@example.com"]\npop = false\n'),
    "toml-dotted": ("toml", 'accounts."alice@example.com".pop = false\n'),
    "toml-inline": ("toml", 'accounts= { "alice@example.com" = { pop = false } }\n'),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_told_by_suffix_by_option_and_by_its_start(apply, path: Path, program: Run, name: str) -> None:  # type: ignore[no-untyped-def]
    form, plan = FORMS[name]
    for file, more in ((f"plan.{form}", ()), ("plan", ()), ("plan.txt", ("--input-format", form))):
        path.write_text(STORE)
        assert apply(plan, *more, name=file).out.startswith("alice@example.com\tchange\tpop = false (was true)\t")
    path.write_text(STORE)
    assert program("apply", "-", "--file", "accounts.toml", stdin=plan).status == 0
    assert Store.read(str(path)).policy().accounts["alice@example.com"].own["pop"] is False


def test_tables_inside_an_account(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    plan = (
        '{"address": "new@example.com", "temporary": {"until": "2099-12-31", "pop": true, "extra_lan": ["branch"]}, '
        '"sources": {"isp": {"host": "pop.isp.example", "login": "n"}}}\n'
        '{"address": "dora@example.com", "temporary": {"until": "2099-11-30", "imap": true}}\n'
    )
    assert apply(plan, name="plan.ndjson").status == 0
    added = """\
[accounts."new@example.com"]
[accounts."new@example.com".temporary]
until = 2099-12-31
pop = true
extra_lan = ["branch"]
[accounts."new@example.com".sources.isp]
host = "pop.isp.example"
login = "n"
"""
    changed = '# until she is back\n[accounts."dora@example.com".temporary]\nuntil = 2099-11-30\nimap = true\n'
    assert f"{changed}{added}[templates" in path.read_text()
    # As everywhere, null means that there is none.
    nulls = (
        '{"address": "new@example.com", "temporary": {"until": "2099-12-31", "pop": true, "imap": null, '
        '"extra_lan": ["branch"]}, "sources": {"isp": {"host": "pop.isp.example", "login": "n", "port": null}, "x": null}}\n'
    )
    assert apply(nulls, name="plan.ndjson").out == "new@example.com\tunchanged\t-\tok\n"
    taken = '{"address": "new@example.com", "temporary": null, "sources": {}}\n'
    assert apply(taken, name="plan.ndjson").status == 0
    assert f'{changed}[accounts."new@example.com"]\n[templates' in path.read_text()


def test_what_is_closed_is_taken_out_of_an_exception(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    told = apply("address,pop,imap\ndora@example.com,off,on\n").err
    assert "also taken out of the exception until 2099-12-31: pop, for dora@example.com\n" in told
    assert "an exception stays in force until 2099-12-31 for dora@example.com; to end it now" in told
    assert "until = 2099-12-31\nimap = false\n" in path.read_text()


def test_what_is_closed_already_stays_in_an_exception_with_a_word(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    # The row may be an export of this store, so only a note says what the exception still does.
    path.write_text(STORE.replace("pop = true\n# until", "pop = false\n# until"))
    before = path.read_bytes()
    note = "an exception stays in force until 2099-12-31 for dora@example.com; to end it now: mailpolicy temporary end"
    assert note in apply("address,pop\ndora@example.com,off\n").err
    # A row that says what the exception is to be needs no word.
    plan = '{"address": "dora@example.com", "pop": false, "temporary": {"until": "2099-12-31", "pop": true, "imap": false}}\n'
    assert apply(plan, name="plan.ndjson").err == "create 0, change 0, remove 0, unchanged 1\n"
    assert path.read_bytes() == before


def test_notes(apply) -> None:  # type: ignore[no-untyped-def]
    told = apply("address,outlook_connector,imap,smtp,smart_host_login\nbob@example.com,on,off,on,bob\n").err
    assert "note: smtp is not governed yet" in told
    assert "warning: Outlook Connector needs IMAP, which is off for bob@example.com\n" in told
    assert "this does not set a password; set the smart-host password of bob@example.com" in told
    source = '{"address": "bob@example.com", "sources": {"isp": {"host": "h.example", "login": "b"}}}\n'
    for count in (1, 0):  # only with a new source
        err = apply(source, name="plan.ndjson").err
        assert err.count("this does not set a password; set the source isp password of bob@example.com") == count
    assert (
        "this also stops Outlook Connector"
        in apply("address,imap\nbob@example.com,on\n").err + apply("address,imap\nbob@example.com,off\n").err
    )


UNKNOWN = """\
plan.csv:2: alice@example.com: there is no such template, did you mean staff?
plan.csv:3: bob@example.com: there is no such network in extra_lan
mailpolicy: plan.csv: 2 rows cannot be carried out; nothing was changed
"""


def test_names_that_the_store_has_not(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    before = path.read_bytes()
    plan = "address,template,extra_lan\nalice@example.com,staf,\nbob@example.com,,s3cret\nnew@example.com,,\n"
    assert apply(plan) == (4, "", UNKNOWN)
    told = apply("address\nbob@example.com\nnew@example.com\n", "--no-create")
    assert (told.status, told.err.splitlines()[0]) == (4, "plan.csv:3: no account new@example.com")
    assert apply("address\nbob@example.com\n", "--no-create").status == 0
    # All in one go, by their lines.
    plan = "address,template\nbob@example.com,staf\ncarol@other.example,\nnew@example.com,\n"
    told = apply(plan, "--domain", "example.com", "--no-create")
    assert told.status == 2
    assert told.err.splitlines()[:-1] == [
        "plan.csv:2: bob@example.com: there is no such template, did you mean staff?",
        "plan.csv:3: carol@other.example is not in example.com",
        "plan.csv:4: no account new@example.com",
    ]
    assert path.read_bytes() == before


def test_pruning(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    before = path.read_bytes()
    plan = "address\nalice@example.com\nbob@example.com\n"
    refused = apply(plan, "--prune", "--json")
    assert (refused.status, json.loads(refused.out)["code"]) == (5, "needs-yes")
    empty = apply("address,pop\n", "--prune", "--yes", "--json")
    assert (empty.status, json.loads(empty.out)["code"]) == (5, "empty-plan")
    dry = apply(plan, "--prune", "--dry-run")
    assert dry.status == 0
    assert (
        "the real run asks, or needs --yes: Remove 2 accounts that the plan does not name "
        "(carol@other.example, dora@example.com)?\n"
    ) in dry.err
    few = apply(plan, "--prune", "--prune-at-most", "1", "--dry-run", "--json")
    assert (few.status, json.loads(few.out)["code"]) == (5, "prune-too-many")
    assert path.read_bytes() == before
    assert "dora@example.com\tremove\t-\tchanged\n" in apply(plan, "--prune", "--domain", "example.com", "--yes").out
    assert apply(plan, "--prune", "--yes").out.endswith("carol@other.example\tremove\t-\tchanged\n")
    assert apply(plan, "--prune").status == 0  # nothing is left to agree to
    assert list(Store.read(str(path)).policy().accounts) == ["alice@example.com", "bob@example.com"]


def test_more_than_ten_and_a_tenth_are_not_pruned_in_passing(apply, path: Path) -> None:  # type: ignore[no-untyped-def]
    path.write_text("version = 1\n" + "".join(f'[accounts."a{number}@x.example"]\n' for number in range(200)))
    keep = [f"a{number}@x.example\n" for number in range(200)]
    assert apply("address\n" + "".join(keep[:180]), "--prune", "--dry-run").status == 0
    told = apply("address\n" + "".join(keep[:179]), "--prune", "--dry-run")
    assert (told.status, "--prune-at-most 21" in told.err) == (5, True)
    assert apply("address\n" + "".join(keep[:179]), "--prune", "--dry-run", "--prune-at-most", "21").status == 0
