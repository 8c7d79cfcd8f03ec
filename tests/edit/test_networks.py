"""Table: networks of one's own: every list comes back byte for byte, and says what the account may do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from mailpolicy.edit import networks
from mailpolicy.edit.operations import Amend
from mailpolicy.edit.plan import Plan
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.transaction import EditResult, transact
from mailpolicy.errors import Refused
from mailpolicy.policy.dates import End
from mailpolicy.policy.model import Policy
from mailpolicy.store.store import Store
from tests.helpers import Run, never, now

ALICE = "alice@x.example"
NETWORKS = 'a = ["192.0.2.1"]\nb = ["192.0.2.2"]\nnew = ["192.0.2.3"]\n'
# Where the LIST can stand, and the same without it.
HOLDERS = {
    "header": (
        f'[accounts."{ALICE}"]\npop = true\nextra_lan = LIST # why\nimap = true\n\n[accounts."bob@x.example"]\n',
        f'[accounts."{ALICE}"]\npop = true\nimap = true\n\n[accounts."bob@x.example"]\n',
    ),
    "only key": (f'[accounts."{ALICE}"]\nextra_lan = LIST', f'[accounts."{ALICE}"]'),
    "indented": (
        f"[accounts]\n  [accounts.'{ALICE}'] # who\n  extra_lan = LIST\n  # below\n",
        f"[accounts]\n  [accounts.'{ALICE}'] # who\n  # below\n",
    ),
    "root dotted": (
        f'accounts."{ALICE}".pop = true\naccounts."{ALICE}".extra_lan=LIST\n',
        f'accounts."{ALICE}".pop = true\n',
    ),
    "dotted below a header": (
        f'[accounts]\n"{ALICE}".pop = true\n"{ALICE}".extra_lan = LIST # why\n"bob@x.example".pop = true\n',
        f'[accounts]\n"{ALICE}".pop = true\n"bob@x.example".pop = true\n',
    ),
    "inline": (
        f'[accounts]\n"{ALICE}" = {{ pop = true, extra_lan = LIST }} # why\n"bob@x.example" = {{}}\n',
        f'[accounts]\n"{ALICE}" = {{ pop = true }} # why\n"bob@x.example" = {{}}\n',
    ),
    "inline, first": (
        f'[accounts]\n"{ALICE}" = {{extra_lan = LIST, pop = true}}\n',
        f'[accounts]\n"{ALICE}" = {{pop = true,}}\n',
    ),
    "inline in inline": (
        f'accounts = {{ "{ALICE}" = {{ extra_lan = LIST }} }}\n',
        f'accounts = {{ "{ALICE}" = {{ }} }}\n',
    ),
    "template": (
        f'[templates.t]\n# of the team\nextra_lan = LIST\npop = true\n[accounts."{ALICE}"]\ntemplate = "t"\n',
        f'[templates.t]\n# of the team\npop = true\n[accounts."{ALICE}"]\ntemplate = "t"\n',
    ),
    "template, inline": (
        f'[templates]\nt = {{ extra_lan = LIST }}\n[accounts."{ALICE}"]\ntemplate = "t"\n',
        f'[templates]\nt = {{}}\n[accounts."{ALICE}"]\ntemplate = "t"\n',
    ),
    "template, dotted": (
        f'[templates]\nt.pop = true\nt.extra_lan = LIST\n[accounts."{ALICE}"]\ntemplate = "t"\n',
        f'[templates]\nt.pop = true\n[accounts."{ALICE}"]\ntemplate = "t"\n',
    ),
    "defaults": (
        f'[defaults]\npop = true\nextra_lan = LIST\n[accounts."{ALICE}"]\n',
        f'[defaults]\npop = true\n[accounts."{ALICE}"]\n',
    ),
    "defaults, inline": (
        f'defaults = {{ pop = true, extra_lan = LIST }}\n[accounts]\n"{ALICE}" = {{}}\n',
        f'defaults = {{ pop = true }}\n[accounts]\n"{ALICE}" = {{}}\n',
    ),
}
LISTS = (
    '["a"]',
    '[ "a" ]',
    '["a",]',
    '["a","b"]',
    '["a","a","b"]',
    '[\n  "a",\n]',
    '[ # all\n  "a", # one\n  # two\n  "b" # bee\n  # end\n]',
)


def written(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_bytes(text.encode())
    return path


def edit(path: Path, planner: Callable[[Policy], Plan]) -> EditResult:
    return transact(Store.read(str(path)), planner, never)


def text_of(holder: str, listed: str | None, newline: str = "\n") -> str:
    with_list, without = HOLDERS[holder]
    body = without if listed is None else with_list.replace("LIST", listed)
    head = "networks = {a = ['192.0.2.1'], b = ['192.0.2.2'], new = ['192.0.2.3']}\n"
    if body.startswith("["):
        head = f"\n[networks]\n{NETWORKS}\n"
    return f"version = 1\n{head}{body}".replace("\n", newline)


def selection_of(holder: str) -> Selection:
    if holder.startswith("template"):
        return Selection(in_template="t")
    return Selection(in_defaults=True) if holder.startswith("defaults") else Selection((ALICE,))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("listed", [None, *LISTS])
@pytest.mark.parametrize("holder", HOLDERS)
def test_assign_then_unassign_gives_the_original_bytes(
    holder: str, listed: str | None, newline: str, tmp_path: Path
) -> None:
    text = text_of(holder, listed, newline)
    path, selection = written(tmp_path, text), selection_of(holder)
    before = names(path)
    edit(path, lambda policy: networks.assign(policy, "new", selection))
    assert names(path) == (*before, "new")
    edit(path, lambda policy: networks.unassign(policy, "new", selection))
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("listed", LISTS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_rename_there_and_back_gives_the_original_bytes(holder: str, listed: str, tmp_path: Path) -> None:
    text = text_of(holder, listed)
    path = written(tmp_path, text)
    before = names(path)
    assert edit(path, lambda policy: networks.rename(policy, "a", "other")).access == "same"
    assert names(path) == tuple("other" if name == "a" else name for name in before)
    edit(path, lambda policy: networks.rename(policy, "other", "a"))
    assert path.read_bytes() == text.encode()


def names(path: Path) -> tuple[str, ...]:
    policy = Store.read(str(path)).policy()
    return policy.extra_lan(policy.accounts[ALICE]).names


# Around the first network of a store, what it must give back.
TABLES = [
    "",
    "[networks]\n# ours\n",
    "# ours\n[networks]\n",
    "[networks] # ours\n",
    '[networks]\nbranch = ["192.0.2.0/24"]\n',
    '[networks]\nbranch = [\n  "192.0.2.0/24", # it\n]\n# below\n',
    'networks.branch = ["192.0.2.0/24"]\n',
    'networks = { branch = ["192.0.2.0/24"] }\n',
    "networks = {}\n",
]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("many", [False, True])
def test_add_then_remove_gives_the_original_bytes(table: str, newline: str, many: bool, tmp_path: Path) -> None:
    head, rest = "version = 1\n", '\n# of pop\n[defaults]\npop = true\n\n# of ann\n[accounts."ann@x.example"]\n'
    text = (f"{head}\n{table}{rest}" if table.startswith(("[", "#")) else f"{head}{table}{rest}").replace("\n", newline)
    path = written(tmp_path, text)
    entries = tuple(f"198.51.100.{number}" for number in range(20 if many else 1))
    edit(path, lambda policy: networks.add(policy, "new", entries))
    assert len(Store.read(str(path)).policy().networks["new"].entries) == len(entries)
    edit(path, lambda policy: networks.add(policy, "new", ("203.0.113.0/24",)))
    edit(path, lambda policy: networks.remove(policy, "new"))
    assert path.read_bytes() == text.encode()


# What a store without the table has, a key that makes it, and the command that takes it away.
FIRST_KEYS = [
    ("network assign home --in-defaults", "network unassign home --in-defaults"),
    ("imap off --in-defaults", "imap inherit --in-defaults"),
    ("imap on --anywhere --in-defaults", "imap inherit --in-defaults"),
    ("server govern smtp", "server ungovern smtp --yes"),
    ("network add new 192.0.2.9", "network remove new"),
]
# Stores without these tables, each with every byte as it must be again.
WITHOUT = {
    "dense": 'version = 1\n[networks]\nhome = ["192.0.2.1"]\n[accounts."a@x.example"]\nsmtp = true\n',
    "apart": 'version = 1\n\n# ours\n[networks]\nhome = ["192.0.2.1"]\n\n# ann\n[accounts."a@x.example"]\nsmtp = true',
    "below the first": 'version = 1\nnetworks.home = []\n\n\n[accounts."a@x.example"]\nsmtp = true\n',
    "dotted": 'version = 1\nnetworks.home = []\naccounts."a@x.example".smtp = true\n',
}  # fmt: skip


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("there", "back"), FIRST_KEYS)
@pytest.mark.parametrize("name", WITHOUT)
def test_a_table_made_by_its_first_key_goes_with_its_last(
    run: Run, tmp_path: Path, name: str, there: str, back: str, newline: str
) -> None:
    text = WITHOUT[name].replace("\n", newline).encode()
    path = tmp_path / "accounts.toml"
    path.write_bytes(text)
    assert run("--file", "accounts.toml", *there.split()).status == 0
    assert path.read_bytes() != text
    assert run("--file", "accounts.toml", *back.split()).status == 0
    assert path.read_bytes() == text


@pytest.mark.parametrize("blank", ["", "\n", "\n\n"])
def test_a_new_table_has_the_blank_lines_of_the_one_below_it(run: Run, tmp_path: Path, blank: str) -> None:
    head = 'version = 1\n[server]\nedition = "pro"\n'
    account = f'{blank}[accounts."a@x.example"]\n'
    path = written(tmp_path, head + account)
    assert run("--file", "accounts.toml", "network", "add", "new", "192.0.2.9").status == 0
    assert path.read_text() == f'{head}{blank}[networks]\nnew = ["192.0.2.9"]\n{account}'


STORE = f"""\
version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8"]
[networks]
{NETWORKS}[defaults]
pop = true
pop_lan_only = true
{{defaults}}[templates.t]
{{template}}[accounts."{ALICE}"]
template = "t"
{{account}}"""
# The lists of defaults, template and account, the verb and its target, the lists then, and the state that is printed.
ASSIGNMENTS = [
    (("a", None, None), "assign", "", ("a", None, ["a", "new"]), "a, new (own list, copied from the defaults)", "widened"),
    (("a", "b", None), "assign", "", ("a", "b", ["b", "new"]), "b, new (own list, copied from the template t)", "widened"),
    (("a", None, None), "assign", "t", ("a", ["a", "new"], None), "a, new (own list, copied from the defaults)", "widened"),
    (("new", None, None), "assign", "", ("new", None, None), "new (from the defaults)", "same"),
    (("new", None, ""), "assign", "", ("new", None, None), "new (from the defaults)", "widened"),
    (("new", None, None), "unassign", "", ("new", None, []), "none (own list, copied from the defaults)", "narrowed"),
    (("new", None, None), "unassign", "t", ("new", [], None), "none (own list, copied from the defaults)", "narrowed"),
    (("a", None, "a new"), "unassign", "", ("a", None, None), "a (from the defaults)", "narrowed"),
    (("a b", None, "b new a"), "unassign", "", ("a b", None, None), "b, a (from the defaults)", "narrowed"),
    ((None, None, "new"), "unassign", "", (None, None, None), "none", "narrowed"),
    ((None, None, None), "unassign", "", (None, None, None), "none", "same"),
    ((None, None, "a new a"), "unassign", "", (None, None, ["a", "a"]), "a", "narrowed"),
    ((None, None, "a a new"), "unassign", "", (None, None, ["a", "a"]), "a", "narrowed"),
    ((None, None, "new a new b"), "unassign", "", (None, None, "a b"), "a, b", "narrowed"),
    ((None, None, "a a"), "assign", "", (None, None, "a a new"), "a, new", "widened"),
    (("a a new", None, None), "unassign", "d", ("a a", None, None), "a", "narrowed"),
    ((None, "a a new", None), "unassign", "t", (None, "a a", None), "a", "narrowed"),
    (("a", None, "a"), "assign", "d", (["a", "new"], None, "a"), "a, new", "same"),
    (("new", "new", None), "unassign", "d", (None, "new", None), "none", "same"),
]  # fmt: skip


@pytest.mark.parametrize(("lists", "verb", "target", "expected", "said", "access"), ASSIGNMENTS)
def test_assignments(
    lists: tuple[str | None, ...],
    verb: str,
    target: str,
    expected: tuple[str | list[str] | None, ...],
    said: str,
    access: str,
    tmp_path: Path,
) -> None:
    def line(names: str | list[str] | None) -> str:
        listed = names.split() if isinstance(names, str) else names
        return "" if listed is None else f"extra_lan = {listed}\n".replace("'", '"')

    path = written(
        tmp_path, STORE.format(**dict(zip(("defaults", "template", "account"), map(line, lists), strict=True)))
    )
    selection = {"": Selection((ALICE,)), "t": Selection(in_template="t"), "d": Selection(in_defaults=True)}[target]
    plan = networks.assign if verb == "assign" else networks.unassign
    outcome = edit(path, lambda policy: plan(policy, "new", selection))
    made = STORE.format(**dict(zip(("defaults", "template", "account"), map(line, expected), strict=True)))
    assert path.read_text() == made
    assert [result.state for result in outcome.plan.results] == [said]
    assert (outcome.access, outcome.changed) == (access, lists != expected)


UNTIL = End(date(2099, 1, 1), datetime(2099, 1, 2, tzinfo=UTC))
IN_FORCE = "\n[accounts.ALICE.temporary]\nuntil = 2099-01-01\n".replace("ALICE", f'"{ALICE}"')
# The account's keys and those of its exception, the verb, both then, the state that is printed, and what is said of the
# exception. The defaults have the network `a`.
EXCEPTIONS = [
    # For good, it is taken out of the exception too: the whole list if it is the one that applies then.
    ("", 'extra_lan = ["a", "new"]', "unassign", "", "", "a (from the defaults)", "taken"),
    ('extra_lan = ["new"]', 'extra_lan = ["new", "b"]', "unassign", "extra_lan = []", 'extra_lan = ["b"]', "none", "taken left"),
    ('extra_lan = ["new"]', 'extra_lan = ["b"]', "unassign", "extra_lan = []", 'extra_lan = ["b"]', "none", "left"),
    ('extra_lan = ["b", "new"]', 'pop = true\nextra_lan = ["b", "new"]', "unassign", 'extra_lan = ["b"]', "pop = true", "b", "taken"),
    ("", 'extra_lan = [\n  "b", # bee\n  "new",\n  "new",\n]', "unassign",
     "", 'extra_lan = [\n  "b", # bee\n]', "a (from the defaults)", "taken left"),
    ("", 'extra_lan = ["b"]', "assign", 'extra_lan = ["a", "new"]', 'extra_lan = ["b"]', "a, new (own list, copied from the defaults)", "left"),
    # Until then, no list stays in it that would apply without it.
    ("", 'extra_lan = ["a", "new"]', "unassign --until", "", "", "a (from the defaults)", ""),
    ("", 'extra_lan = ["a", "new"]\npop = true', "unassign --until", "", "pop = true", "a (from the defaults)", ""),
    ('extra_lan = ["b"]', 'extra_lan = ["new", "b"] # why', "unassign --until", 'extra_lan = ["b"]', "", "b", ""),
    ("", "", "unassign --until", "", "", "a (from the defaults)", ""),
    ('extra_lan = ["new"]', "", "assign --until", 'extra_lan = ["new"]', "", "new", ""),
    ('extra_lan = ["new"]', "", "unassign --until", 'extra_lan = ["new"]', "extra_lan = []", "none, until 2099-01-01", ""),
    ("", 'extra_lan = ["b", "new"] # why', "unassign --until", "", 'extra_lan = ["b"] # why', "b, until 2099-01-01", ""),
]  # fmt: skip


@pytest.mark.parametrize(("own", "exception", "verb", "own_then", "exception_then", "said", "noted"), EXCEPTIONS)
def test_assignments_beside_an_exception(
    own: str, exception: str, verb: str, own_then: str, exception_then: str, said: str, noted: str, tmp_path: Path
) -> None:
    def text(own: str, exception: str) -> str:
        account = own + "\n" if own else ""
        below = f"{IN_FORCE}{exception}\n" if exception else ""
        return STORE.format(defaults='extra_lan = ["a"]\n', template="", account=f"{account}{below}")

    path = written(tmp_path, text(own, exception))
    plan = networks.unassign if verb.startswith("un") else networks.assign
    until = UNTIL if verb.endswith("--until") else None
    outcome = transact(Store.read(str(path)), lambda policy: plan(policy, "new", Selection((ALICE,)), until), now)
    assert path.read_text() == text(own_then, exception_then)
    assert [result.state for result in outcome.plan.results] == [said]
    assert outcome.changed == ((own, exception) != (own_then, exception_then))
    notes = " ".join(map(str, outcome.plan.notes))
    assert ("also taken out of the exception until 2099-01-01: new" in notes) == ("taken" in noted)
    assert ("an exception stays in force until 2099-01-01" in notes) == ("left" in noted)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("listed", [None, *LISTS])
@pytest.mark.parametrize("holder", [holder for holder in HOLDERS if selection_of(holder).layer is None])
def test_assign_then_unassign_until_then_gives_the_original_bytes(
    holder: str, listed: str | None, newline: str, tmp_path: Path
) -> None:
    text = text_of(holder, listed, newline)
    path, selection = written(tmp_path, text), selection_of(holder)
    for plan in (networks.assign, networks.unassign):
        store = Store.read(str(path))
        transact(store, lambda policy, plan=plan: plan(policy, "new", selection, UNTIL), now)  # type: ignore[misc]
        assert (path.read_bytes() == text.encode()) == (plan is networks.unassign)


def test_a_list_that_would_not_be_the_one_reported_is_refused(tmp_path: Path) -> None:
    """Whatever a plan gets wrong, the file is not written with another list than the edit reports."""
    path = written(tmp_path, text_of("header", '["a", "b"]'))
    before = path.read_bytes()

    def planner(policy: Policy) -> Plan:
        plan = Plan()
        wrong = Amend(("accounts", ALICE, "extra_lan"), (1,), (), ("b",))  # its positions leave a
        plan.change(wrong, ALICE, "extra_lan", ("a", "b"), ("b",))
        return plan

    with pytest.raises(Refused, match="edit it by hand"):
        edit(path, planner)
    assert path.read_bytes() == before


def test_it_is_taken_from_the_layers_before_the_accounts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        STORE.format(defaults='extra_lan = ["a"]\n', template='extra_lan = ["a"]\n', account='extra_lan = ["a"]\n'),
    )
    lines = []
    while True:
        try:
            edit(path, lambda policy: networks.remove(policy, "a"))
            break
        except Refused as refused:
            *_, target = fix = refused.fix or ()
            lines.append(" ".join(fix))
            where = {"t": Selection(in_template="t"), ALICE: Selection((ALICE,))}
            chosen = where.get(target, Selection(in_defaults=True))
            edit(path, partial(networks.unassign, name="a", selection=chosen))
    assert lines == [
        "mailpolicy network unassign a --in-defaults",
        "mailpolicy network unassign a --in-template t",
        f"mailpolicy network unassign a {ALICE}",
    ]
    assert "extra_lan" not in path.read_text()
