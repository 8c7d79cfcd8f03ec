"""Table: plans that cannot be carried out. Every bad row is named with its line, and nothing of it but the address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import Run

SECRET = "hunter2"  # in every plan, and in no message

# name: (the plan, the lines that are printed, each without the file's name)
BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "no-header.csv": ("alice@example.com,hunter2\n", ["1: no column address: the first line names the columns"]),
    "empty.csv": ("", ["1: there is nothing in it"]),
    "empty.ndjson": ("\n", ["1: there is nothing in it"]),
    "empty.toml": ("", ["1: there is nothing in it"]),
    "semicolons.csv": ("address;pop\nalice@example.com;hunter2\n", ["1: the columns are parted by a semicolon"]),
    "tabs.csv": ("address\tpop\nalice@example.com\thunter2\n", ["1: the columns are parted by a tab"]),
    "unknown-column.csv": (
        "address,popp,hunter2,HUNTER2,hunter2\nalice@example.com,hunter2,,,\n",
        [
            "1: unknown column 'popp', did you mean pop?",
            "1: 3 unknown columns; the columns are address, pop, pop_lan_only",
        ],
    ),
    "column-twice.csv": ("address,pop,POP\na@b.example,hunter2,\n", ["1: the column pop stands twice"]),
    "nested-column.csv": ("address,sources\na@b.example,hunter2\n", ["1: CSV has no column sources"]),
    "password-column.csv": (
        "address,password\nalice@example.com,hunter2\n",
        ["1: a plan has no passwords: take that column out, and use mailpolicy smart-host import -"],
    ),
    "ragged.csv": (
        "address,pop,imap\nalice@example.com\nbob@example.com,on,off,hunter2\n",
        ["2: 1 field, but the first line has 3", "3: 4 fields, but the first line has 3"],
    ),
    "values.csv": (
        "address,pop,template,expires,extra_lan,smart_host_login\n"
        "alice@example.com,hunter2,Hunter2!,hunter2,hunter2!,\x01hunter2\n",
        [
            "2: alice@example.com: pop is not one of true, on, yes, 1, false, off, no, 0 and inherit; "
            "template is not the name of a template; expires is not a date such as 2026-12-31, or a date-time such as "
            "2026-12-31T18:00:00+01:00; extra_lan is not a list of networks; smart_host_login is not a login: 1 to 255"
        ],
    ),
    "time-without-offset.csv": (
        "address,expires,template\na@b.example,2026-12-31T18:00,hunter2!\n",
        ["2: a@b.example: expires is not a date"],
    ),
    "twice.csv": (
        "address,template\nalice@example.com,\nbob@example.com,hunter2\nAlice@Example.com,\n",
        ["4: alice@example.com already stands in line 2: leave one of the two"],
    ),
    "addresses.csv": (
        'address,template\njohn smith@example.com,hunter2\n!x@example.com,\n"",\nbob@example.com:hunter2,\n'
        "hunter2,\nbob@example.com hunter2,\nbob@example.com;hunter2,\nbob@example.com|hunter2,\nbob@hunter2☃,\n"
        "bob@example.com@hunter2,\nbob@[hunter2],\nbob@hunter2.,\nhünter2@example.com,\nbob:hunter2,\n",
        [
            "2: this is not an address: it contains a space",
            "3: this cannot be an account: before the @ only",
            "4: this is not an address: it has no @",
            "5: this is not a domain name: each label",
            "6: this is not an address: it has no @",
            "7: this is not an address: it contains a space",
            "8: this is not a domain name: each label",
            "9: this is not a domain name: each label",
            "10: this is not a domain name",
            "11: this is not an address: it has more than one @",
            "12: this is an address literal",
            "13: this ends in a dot",
            "14: this cannot be an account: only ASCII",
            "15: this is not an address: it has no @",
        ],
    ),
    "open-quote.csv": (
        'address,template\nalice x@example.com,\nbob@example.com,"hunter2\ncarol@example.com,\n',
        ["2: this is not an address", "3: a quote is not closed, or has text behind it"],
    ),
    "text-behind-quote.csv": ('address,template\n"a@b.example"hunter2,\n', ["2: a quote is not closed, or has text"]),
    "long-field.csv": (
        f'address,template\na@b.example,"hunter2{"x" * 1_000_000}"\n',
        ["2: a field is longer than 128 KiB; rows from here on were not read"],
    ),
    "not-utf-8.csv": (b"address,template\na@b.example,hunter2\nb@b.example,\xff\n", ["3: this is not UTF-8"]),
    "utf-16.csv": ("address,template\na@b.example,hunter2\n".encode("utf-16"), ["1: this is not UTF-8"]),
    "broken.ndjson": (
        '{"address": "a@b.example", "pop": hunter2}\n["hunter2"]\n{"pop": true}\n{"address": 3}\n'
        '{"address": "b@b.example", "pop": true, "pop": "hunter2"}\n' + "[" * 100_000 + "\n",
        [
            "1: this is not JSON: expecting value",
            "2: this is not a JSON object: write one object a line",
            "3: the object has no address",
            "4: the object has no address",
            "5: a key stands twice in one object",
            "6: this is not JSON",
        ],
    ),
    "values.ndjson": (
        '{"address": "a@b.example", "pop": "hunter2", "templat": "hunter2", "expires": 3}\n'
        '{"address": "b@b.example", "template": "Hunter2!", "extra_lan": ["hunter2!"], "expires": "hunter2"}\n'
        '{"address": "c@b.example", "temporary": {"pop": true}, "sources": {"isp": {"host": "hunter2/x", "login": "a"}}}\n'
        '{"address": "d@b.example", "temporary": {"until": "hunter2", "pop": "hunter2"}, "sources": "hunter2"}\n'
        '{"address": "e@b.example", "extra_lan": [3], "password": "hunter2"}\n',
        [
            "1: a@b.example: unknown key 'templat', did you mean template?; expires is not a date such as 2026-12-31, or a "
            "date-time such as 2026-12-31T18:00:00+01:00; pop must be true or false, not a string",
            "2: b@b.example: expires is not a date",
            "3: c@b.example: sources.NAME.host is not valid (MP015: mailpolicy explain MP015); temporary is not valid (MP072",
            "4: d@b.example: temporary.until is not a date",
            "5: e@b.example: a plan has no passwords: take that key out, and use mailpolicy smart-host import -",
        ],
    ),
    "names-of-keys.ndjson": (
        '{"address": "a@b.example", "hunter2": null, "hunter2\\u0000": {"a": 1}}\n'
        '{"address": "b@b.example", "temporary": {"until": "2099-12-31", "hunter2": true, "popp": true}}\n'
        '{"address": "c@b.example", "sources": {"hunter2!": {"host": "h.example", "login": "l"}, "x": {"hunter2": 1}}}\n',
        [
            "1: a@b.example: 2 unknown keys; the keys are pop, pop_lan_only",
            "2: b@b.example: temporary.NAME is not valid (MP005: mailpolicy explain MP005); temporary.popp is not valid",
            "3: c@b.example: sources.NAME is not valid (MP0",
        ],
    ),
    "null.ndjson": (
        '{"address": "a@b.example", "temporary": {"until": null, "pop": true}, "template": "hunter2!"}\n'
        '{"address": "b@b.example", "temporary": {"until": "2099-12-31", "pop": true, "extra_lan": [null]}}\n'
        '{"address": "c@b.example", "extra_lan": [null]}\n{"address": "d@b.example", "sources": [null]}\n'
        '{"address": "e@b.example", "sources": {"x": {"host": null}}}\n'
        '{"address": "f@b.example", "sources": {"x": {"host": {"a": null}, "login": "hunter2"}}}\n',
        [
            "1: a@b.example: template is not the name of a template; temporary is not valid (MP072",
            "2: b@b.example: temporary.extra_lan[0] is not valid (MP006",
            "3: c@b.example: extra_lan is not a list of networks",
            "4: d@b.example: sources must be a table, not an array",
            "5: e@b.example: sources.NAME is not valid (MP0",
            "6: f@b.example: sources.NAME.host is not valid (MP006",
        ],
    ),
    "array.ndjson": ("[\n", ["1: this is not JSON: expecting value; write one object a line, as jq -c '.[]' makes"]),
    "array-in-a-line.json": (
        '[{"address": "a@b.example", "template": "hunter2"}]\n',
        ["1: this is not a JSON object: write one object a line, as jq -c '.[]' makes them of an array"],
    ),
    "server.toml": (
        'version = 1\n[accounts."a@b.example"]\ntemplate = "hunter2"\n[server]\nmultipop = true\n[defaults]\n',
        ["4: server has no place in a plan, which has version and accounts only", "6: defaults has no place"],
    ),
    "unknown-key.toml": ("version = 1\nhunter2 = 1\n", ["2: this key has no place in a plan"]),
    "version.toml": ('version = 2\n[accounts."a@b.example"]\ntemplate = "hunter2"\n', ["1: the version is not 1"]),
    "version-true.toml": ("version = true\n[accounts]\n", ["1: the version is not 1"]),
    "broken.toml": ('[accounts."a@b.example"]\npop = hunter2\n', ["2: this is not TOML"]),
    "values.toml": (
        '[accounts."a@b.example"]\npop = "hunter2"\n[accounts]\n"b@b.example" = "hunter2"\n"x y@b.example" = {}\n'
        '"c@b.example" = { expires = 2026-12-31T10:00:00, smart_host_login = " hunter2" }\n',
        [
            "1: a@b.example: pop must be true or false, not a string",
            "4: b@b.example is not a table",
            "5: this is not an address",
            "6: c@b.example: smart_host_login is not a login",
        ],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_every_bad_row_is_named_and_nothing_is_done(run: Run, store: Path, tmp_path: Path, name: str) -> None:
    content, wanted = BAD[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = store.read_bytes()
    for more in ((), ("--dry-run",)):
        result = run("apply", name, "--file", "accounts.toml", *more)
        assert (result.status, result.out) == (2, "")
        *lines, last = result.err.splitlines()
        assert len(lines) == len(wanted)
        for line, start in zip(lines, wanted, strict=True):
            assert line.startswith(f"{name}:{start}")
        rows = "1 row" if len(wanted) == 1 else f"{len(wanted)} rows"
        assert last == f"mailpolicy: {name}: {rows} cannot be carried out; nothing was changed"
        assert SECRET not in result.err.lower()
    told = run("apply", name, "--file", "accounts.toml", "--json")
    answer = json.loads(told.out)
    assert (told.status, answer["code"], answer["file"]) == (2, "bad-plan", name)
    assert [finding["line"] for finding in answer["findings"]] == [int(start.partition(":")[0]) for start in wanted]
    assert SECRET not in told.out.lower()
    assert store.read_bytes() == before


def test_a_bad_plan_is_found_before_a_bad_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("address,pop\na@b.example,maybe\n")
    (tmp_path / "accounts.toml").write_text("version = 9\n")
    assert run("apply", "plan.csv", "--file", "accounts.toml").status == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["no.csv"], "mailpolicy: no.csv: cannot be read: no such file or directory"),
        (["."], "mailpolicy: .: cannot be read: is a directory"),
        (["no.csv", "--input-format", "xml"], "--input-format is csv, ndjson or toml, not 'xml'"),
        (["no.csv", "--prune-at-most", "3"], "--prune-at-most needs --prune"),
        (["no.csv", "--domain", "a b"], "--domain: 'a b' is not a domain name"),
    ],
)
def test_a_bad_command_line(run: Run, store: Path, words: list[str], why: str) -> None:
    result = run("apply", *words, "--file", "accounts.toml")
    assert result.status == 2
    assert why in result.err


def test_more_mistakes_than_anybody_reads_are_counted(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("address,pop\n" + "".join(f"a{n}@b.example,maybe\n" for n in range(1200)))
    result = run("apply", "plan.csv", "--file", "accounts.toml")
    assert len(result.err.splitlines()) == 1001
    assert "1200 rows cannot be carried out (200 more findings not shown); nothing was changed" in result.err
