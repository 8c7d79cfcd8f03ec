"""What every edit promises, on stores in every style that people write."""

from __future__ import annotations

import os
import re
from pathlib import Path

import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailpolicy.edit import accounts, services
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.text.diff import Splice, apply_splices, unified_diff
from mailpolicy.edit.transaction import transact
from mailpolicy.errors import Refused
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store
from tests.helpers import never
from tests.patches import patched
from tests.stores import ADDRESS, KEYS, store_text

SETTINGS = settings(
    max_examples=int(os.environ.get("MAILPOLICY_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def written(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_bytes(text.encode())
    return path


def edit(path: Path, planner: object) -> None:
    transact(Store.read(str(path)), planner, never)  # type: ignore[arg-type]


def tree(text: str) -> dict:  # type: ignore[type-arg]
    return tomli.loads(text.removeprefix("\ufeff"))


@SETTINGS
@given(
    text=store_text(),
    address=st.sampled_from(["eve@x.example", "eve@y.example", "eve@new.example"]),
    switches=st.dictionaries(st.sampled_from(KEYS[:2]), st.booleans()),
)
def test_add_then_remove_gives_the_original_bytes(
    tmp_path: Path, text: str, address: str, switches: dict[str, bool]
) -> None:
    path = written(tmp_path, text)
    edit(path, lambda policy: accounts.add(policy, [address], switches))
    between = path.read_bytes().decode()
    assert tree(between)["accounts"][address] == switches
    assert tree(between)["accounts"].keys() - tree(text)["accounts"].keys() == {address}
    edit(path, lambda policy: accounts.remove(policy, Selection((address,)), if_exists=False))
    assert path.read_bytes() == text.encode()


@SETTINGS
@given(text=store_text(), address=ADDRESS)
def test_suspend_then_resume_gives_the_original_bytes(tmp_path: Path, text: str, address: str) -> None:
    path = written(tmp_path, text)
    edit(path, lambda policy: accounts.suspend(policy, Selection((address,))))
    assert b"suspended" in path.read_bytes()
    edit(path, lambda policy: accounts.resume(policy, Selection((address,))))
    assert path.read_bytes() == text.encode()


@SETTINGS
@given(text=store_text(), address=ADDRESS, service=st.sampled_from([Service.POP, Service.IMAP, Service.MULTIPOP]))
def test_a_toggle_there_and_back_gives_the_original_bytes(
    tmp_path: Path, text: str, address: str, service: Service
) -> None:
    path = written(tmp_path, text)
    own = Store.read(str(path)).policy().accounts[address].own
    there = own.get(service.switch)
    verbs: dict[object, tuple[services.Verb, ...]] = {
        None: (services.Verb.ON, services.Verb.OFF, services.Verb.INHERIT),
        True: (services.Verb.OFF, services.Verb.ON),
        False: (services.Verb.ON, services.Verb.OFF),
    }
    if there is None and service.lan_switch in own:
        return  # inherit would take that key along
    for verb in verbs[there]:
        edit(path, lambda policy, verb=verb: services.switch(policy, service, verb, Selection((address,))))
        value = tree(path.read_bytes().decode())["accounts"]
        assert next(table.get(service.switch) for key, table in value.items() if key.lower() == address) is {
            "on": True,
            "off": False,
        }.get(verb)
    assert path.read_bytes() == text.encode()


INLINE = st.sampled_from(
    [
        "{}",
        "{ }",
        "{pop = true}",
        "{ pop = true }",
        "{pop = true, }",
        "{ pop = true , imap = false }",
        "{\n  pop = true,  # c\n}",
    ]
)


@SETTINGS
@given(first=INLINE, second=INLINE, root=st.booleans())
def test_inline_tables_come_back_too(tmp_path: Path, first: str, second: str, root: bool) -> None:
    if root:
        text = f'version = 1\naccounts = {{ "ann@x.example" = {first}, "bob@x.example" = {second} }}\n'
    else:
        text = f'version = 1\n[accounts]\n"ann@x.example" = {first} # a\n"bob@x.example" = {second}\n'
    path = written(tmp_path, text)
    for address in ("ann@x.example", "bob@x.example"):
        edit(path, lambda policy, address=address: accounts.suspend(policy, Selection((address,))))
        assert tree(path.read_text())["accounts"][address]["suspended"] is True
        edit(path, lambda policy, address=address: accounts.resume(policy, Selection((address,))))
        assert path.read_text() == text


@SETTINGS
@given(text=store_text(), address=ADDRESS)
def test_removing_takes_the_account_and_nothing_of_its_neighbours(tmp_path: Path, text: str, address: str) -> None:
    path = written(tmp_path, text)
    lines = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    edit(path, lambda policy: accounts.remove(policy, Selection((address,)), if_exists=False))
    left = path.read_bytes().decode().replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    header = next(number for number, line in enumerate(lines) if _is_header(line) and address in line.lower())
    first = header
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    following = next((number for number in range(header + 1, len(lines)) if _is_header(lines[number])), len(lines))
    keys = [number for number in range(header, following) if re.match(r"\s*[a-z_]+\s*=", lines[number])]
    last = keys[-1] if keys else header
    while last + 1 < following and lines[last + 1].lstrip().startswith("#"):
        last += 1
    if last + 1 == following and following < len(lines):  # these comments touch the next header, which they belong to
        last = keys[-1] if keys else header
    mine = range(first, last + 1)
    others = [line for number, line in enumerate(lines) if number not in mine and line.strip()]
    assert [line for line in left if line.strip()] == others
    # What touched a header still does, and what was parted from one still is.
    assert _touching(left) == [block for block in _touching(lines) if address not in block[-1].lower()]


def _is_header(line: str) -> bool:
    return bool(re.match(r"\s*\[\s*[a-z]", line)) and "]" in line


def _touching(lines: list[str]) -> list[list[str]]:
    blocks = []
    for number, line in enumerate(lines):
        if _is_header(line):
            first = number
            while first > 0 and lines[first - 1].lstrip().startswith("#"):
                first -= 1
            blocks.append(lines[first : number + 1])
    return blocks


@SETTINGS
@given(text=store_text(), address=ADDRESS)
def test_renaming_touches_the_header_alone(tmp_path: Path, text: str, address: str) -> None:
    path = written(tmp_path, text)
    edit(path, lambda policy: accounts.rename(policy, address, "zoe@z.example"))
    old, new = text.split("\n"), path.read_bytes().decode().split("\n")
    changed = [number for number, (one, two) in enumerate(zip(old, new, strict=True)) if one != two]
    assert len(changed) == 1
    assert "zoe@z.example" in new[changed[0]]


@SETTINGS
@given(
    text=store_text(),
    address=ADDRESS,
    service=st.sampled_from(list(Service)),
    verb=st.sampled_from([services.Verb.ON, services.Verb.OFF]),
)
def test_the_diff_is_the_edit(tmp_path: Path, text: str, address: str, service: Service, verb: services.Verb) -> None:
    path = written(tmp_path, text)

    def planner(policy: object) -> object:
        return services.switch(policy, service, verb, Selection((address,)))  # type: ignore[arg-type]

    try:
        outcome = transact(Store.read(str(path)), planner, never, dry_run=True)  # type: ignore[arg-type]
    except Refused:
        return
    assert path.read_bytes() == text.encode()
    edit(path, planner)
    after = path.read_bytes().decode().removeprefix("\ufeff")
    if outcome.diff:
        assert patched(text.removeprefix("\ufeff"), outcome.diff) == after
    else:
        assert after == text.removeprefix("\ufeff")


@given(st.text(alphabet="ab\n", max_size=60), st.data())
def test_any_splices_make_a_diff_that_patches(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=8)))
    made = [
        Splice(start, end, data.draw(st.text(alphabet="ab\n", max_size=6)))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    made = [splice for index, splice in enumerate(made) if index == 0 or splice.start > made[index - 1].end]
    diff = unified_diff("f", text, made)
    if diff:
        assert patched(text, diff) == apply_splices(text, made)
    else:
        assert apply_splices(text, made) == text
