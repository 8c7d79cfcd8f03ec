"""Cases: a network is every address in it, and a case holds exactly where check says so."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.lan import region
from mailpolicy.policy.networks import packed_address
from mailpolicy.policy.question import question
from mailpolicy.policy.service import SWITCHES, Service
from mailpolicy.policy.verdict import judge
from mailpolicy.review.cases import Case, read
from mailpolicy.review.evaluation import mismatches, uncovered
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Run
from tests.policy.trees import probes, written

switches = st.fixed_dictionaries(
    dict.fromkeys(SWITCHES, st.booleans()), optional={"extra_lan": st.sampled_from([[], ["branch"]])}
)
stores = st.builds(
    lambda mine, lan, edition: Store(
        "accounts.toml",
        written(
            {
                "server": {"edition": edition, "outlook_connector_installed": True, "multipop": False, "lan": lan},
                "networks": {"branch": ["10.64.0.8-10.64.0.20", "203.0.113.0/25"]},
                "defaults": {},
                "templates": {},
                "accounts": {"ann@x.example": mine},
            }
        ).encode(),
    ),
    switches,
    st.lists(
        st.sampled_from(["10.0.0.0/8", "10.64.0.0-10.64.0.9", "192.168.*.*", "fd00::/8"]), max_size=2, unique=True
    ),
    st.sampled_from(["pro", "pro", "standard"]),
)
networks = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/7", "10.64.0.0/28", "10.64.0.4", "192.168.1.*", "::/0", "fd00::/9", "203.0.113.0/24"]
)


def one(store: Store, service: Service, ip: Any, expect: str, reason: str | None = None) -> Case:
    table = {"address": "ann@x.example", "protocol": str(service), "ip": ip, "expect": expect}
    cases, problems = read({"case": [table if reason is None else {**table, "reason": reason}]})
    assert not problems, problems
    return cases[0]


def inside(store: Store, text: str) -> list[str]:
    """Addresses of the network: its own edges and those of the LAN's entries, and their neighbours."""
    asked = region(text)
    edges = [str(ipaddress.ip_address(packed)) for span in asked.spans for packed in span]
    return [ip for ip in [*edges, *probes(store.policy())] if packed_address(ip) in asked]


@given(stores, st.sampled_from(list(Service)), networks)
def test_a_network_is_every_address_in_it(store: Store, service: Service, text: str) -> None:
    policy = store.policy()
    verdicts = [judge(policy, question("ann@x.example", service, ip)) for ip in inside(store, text)]
    assert bool(mismatches(policy, one(store, service, text, "allow"))) is not all(
        verdict.allowed for verdict in verdicts
    )
    assert bool(mismatches(policy, one(store, service, text, "deny"))) is any(verdict.allowed for verdict in verdicts)
    if any(verdict.allowed for verdict in verdicts):
        return
    (reason,) = {verdict.reasons[0].gate for verdict in verdicts}
    assert not mismatches(policy, one(store, service, text, "deny", str(reason)))
    other = "account-suspended"
    assert [miss.actual for miss in mismatches(policy, one(store, service, text, "deny", other))] == [f"deny: {reason}"]


@given(stores, st.sampled_from(list(Service)), networks, st.sampled_from(["allow", "deny"]))
def test_a_miss_names_the_addresses_where_it_is_so(store: Store, service: Service, text: str, expect: str) -> None:
    policy = store.policy()
    for miss in mismatches(policy, one(store, service, text, expect)):
        part, _, whole = miss.asked.partition(" of ")
        assert whole in ("", text)
        for span in part.split(", "):
            ((first, last),) = region(span).spans
            for packed in (first, last):
                ip = str(ipaddress.ip_address(packed))
                assert judge(policy, question("ann@x.example", service, ip)).allowed is (expect == "deny")
        assert miss.keys or not policy.governs(service)
        assert all(store.line(key) for key in miss.keys)


POLICY = Store("accounts.toml", MINIMAL.encode()).policy()


def test_several_addresses_are_missed_one_by_one() -> None:
    asked = {"address": "alice@example.com", "protocol": "pop", "ip": ["10.0.0.1", "1.2.3.4", "::1"]}
    cases, _ = read({"case": [{**asked, "expect": "allow"}]})
    assert [miss.asked for miss in mismatches(POLICY, cases[0])] == ["1.2.3.4", "::1"]


def test_an_address_is_unwrapped_and_its_zone_dropped() -> None:
    table = {"address": "Alice@Example.COM", "protocol": "pop3", "expect": "allow"}
    for ip in ("::ffff:10.0.0.1", "fd00::1%eth0"):
        cases, problems = read({"case": [{**table, "ip": ip}]})
        assert not problems
        assert not mismatches(POLICY, cases[0])


def test_untouched() -> None:
    cases, _ = read({"case": [
        {"address": "alice@example.com", "protocol": "multipop", "expect": "allow"},
        {"address": "nobody@example.com", "protocol": "imap", "ip": "::1", "expect": "deny", "reason": "unknown-account"},
    ]})  # fmt: skip
    assert not any(mismatches(POLICY, case) for case in cases[1:])
    left = uncovered(POLICY, cases)
    assert left["alice@example.com"] == [Service.POP, Service.IMAP, Service.CONNECTOR]
    assert left["bob@example.com"] == [*POLICY.services] == [*Service][:4]
    everything = [
        cases[0]._replace(address=address, service=service) for address in POLICY.accounts for service in Service
    ]
    assert uncovered(POLICY, everything) == {}


GOOD = {"address": "alice@example.com", "protocol": "pop", "ip": "10.0.0.1", "expect": "allow"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"address": "alice"}, "it has no @"),
        ({"address": 7}, "address must be a string"),
        ({"protocol": "ftp"}, "unknown protocol 'ftp'"),
        ({"ip": "10.0.0.0/33"}, "at most 32 bits"),
        ({"ip": []}, "ip is empty"),
        ({"ip": ["10.0.0.1", 7]}, "ip must be a string or an array of strings"),
        ({"ip": {"from": "10.0.0.1"}}, "ip must be a string or an array of strings"),
        ({"expect": "denied"}, "write allow or deny"),
        ({"expect": "deny", "reason": "too-late"}, "write unknown-account or account-suspended or"),
        ({"reason": "service-off"}, "reason applies to denials only"),
        ({"expect": "deny", "reason": "imap-needs-pro"}, "POP is never denied with the reason imap-needs-pro"),
        ({"exect": "deny"}, "did you mean expect?"),
        ({"\x1b[2J": "deny"}, "unknown key '\\x1b[2J'"),
    ],
)
def test_impossible_cases(change: dict[str, object], said: str) -> None:
    cases, problems = read({"case": [GOOD, {**GOOD, **change}]})
    assert len(cases) == 1
    assert [said in problem.message for problem in problems] == [True]


@pytest.mark.parametrize("missing", ["address", "protocol", "ip", "expect"])
def test_what_a_case_must_have(missing: str) -> None:
    _, problems = read({"case": [{key: value for key, value in GOOD.items() if key != missing}]})
    assert [f"this case has no {missing}" in problem.message for problem in problems] == [True]


@pytest.mark.parametrize(
    "tree", [{}, {"case": []}, {"case": GOOD}, {"case": [7]}, {"cases": [GOOD]}, {"case": [GOOD], "x": 1}]
)
def test_files_without_cases(tree: dict[str, object]) -> None:
    assert len(read(tree)[1]) == 1


def test_any_style_of_array_has_lines(run: Run, store: Path) -> None:
    store.with_name("cases.toml").write_text(
        'case = [\n  # one\n  {address = "bob@example.com", protocol = "pop", ip = "10.0.0.1", expect = "allow"},\n]\n'
    )
    result = run("--file", str(store), "test", "cases.toml")
    assert result.status == 1
    assert result.out.startswith("cases.toml:3: bob@example.com pop 10.0.0.1: expected allow, got deny: service-off")
    assert result.out.endswith(
        '(accounts."bob@example.com".pop accounts.toml:20)\n'.replace("accounts.toml", str(store))
    )


def test_several_files(run: Run, store: Path) -> None:
    for name, expect in (("good.toml", "allow"), ("bad.toml", "deny")):
        store.with_name(name).write_text(
            f'[[case]]\naddress = "alice@example.com"\nprotocol = "imap"\nip = "::/0"\nexpect = "{expect}"\n'
        )
    result = run("--file", str(store), "test", "good.toml", "bad.toml")
    assert result.status == 1
    assert [line.partition(":")[0] for line in result.out.splitlines()] == ["bad.toml"]
    assert "2 cases, 1 failed" in result.err
    assert run("--file", str(store), "test", "good.toml").status == 0
    assert run("--file", str(store), "test", "good.toml", "none.toml").status == 2
    assert run("--file", str(store), "test", "good.toml", "--format", "sarif").status == 2


def test_a_name_never_becomes_a_workflow_command(run: Run, store: Path) -> None:
    odd = "a%0A::error::x,y:z.toml"
    store.with_name(odd).write_text(
        '[[case]]\nname = "\\n::add-mask::x"\naddress = "bob@example.com"\nprotocol = "pop"\nip = "::1"\nexpect = "allow"\n'
    )
    (line,) = run("--file", str(store), "test", odd, "--format", "github").out.splitlines()
    assert line.startswith("::error file=a%250A%3A%3Aerror%3A%3Ax%2Cy%3Az.toml,line=1,col=1,title=mailpolicy test::")


BROKEN = '[[case]]\naddress = "bob@example.com"\nprotocol = "pop"\nip = "::1"\nexpects = "allow"\n'


@pytest.mark.parametrize(("form", "mark"), [("github", "::error file={},line="), ("junit", ' type="')])
def test_what_cannot_be_used_is_in_the_report(run: Run, store: Path, form: str, mark: str) -> None:
    store.with_name("broken.toml").write_text(BROKEN)
    store.with_name("good.toml").write_text(BROKEN.replace("expects", "expect"))
    (store.parent / "bad-store.toml").write_text("version = 1\npopp = true\n")
    for arguments, status, file in (
        (["--file", "accounts.toml", "test", "broken.toml", "none.toml"], 2, "broken.toml"),
        (["--file", "accounts.toml", "test", "none.toml"], 2, "none.toml"),
        (["--file", "bad-store.toml", "test", "good.toml"], 3, "bad-store.toml"),
        (["--file", "none.toml", "test", "good.toml"], 3, "none.toml"),
    ):
        result = run(*arguments, "--format", form)
        assert result.status == status
        assert mark.format(file) in result.out
        assert file in result.out
        assert (file in result.err) is (form == "junit")
        if "broken.toml" in arguments:
            assert "'expects', did you mean expect?" in result.out
            assert "none.toml" in result.out


def test_a_report_calls_a_case_by_its_name(run: Run, store: Path) -> None:
    store.with_name("cases.toml").write_text(
        '[[case]]\nname = "bob has no pop"\naddress = "bob@example.com"\nprotocol = "pop"\nip = "::1"\nexpect = "allow"\n'
    )
    for form in ("text", "github", "json", "junit"):
        assert "bob has no pop" in run("--file", str(store), "test", "cases.toml", "--format", form).out
    assert (
        "cases.toml:1: bob has no pop: bob@example.com pop ::1: expected allow"
        in run("--file", str(store), "test", "cases.toml").out
    )


def test_a_warning_is_seen_where_the_report_is(run: Run, store: Path) -> None:
    store.with_name("cases.toml").write_text(
        '[[case]]\naddress = "bobby@example.com"\nprotocol = "pop"\nip = "::1"\nexpect = "deny"\n'
    )
    told = run("--file", str(store), "test", "cases.toml", "--format", "github")
    assert told.out.startswith("::warning file=cases.toml,line=1,col=1,title=mailpolicy test::")
    assert told.err == "mailpolicy: 1 case, all passed\n"
    told = run("--file", str(store), "test", "cases.toml", "--json")
    assert [warning["line"] for warning in json.loads(told.out)["warnings"]] == [1]
    assert "no account bobby@example.com, so everything" in run("--file", str(store), "test", "cases.toml").err


def test_the_store_is_judged_after_the_cases(run: Run, store: Path) -> None:
    store.with_name("cases.toml").write_text("[[case]]\n")
    store.write_text("version = 1\npop = 1\n")
    assert run("--file", str(store), "test", "cases.toml").status == 2
    store.with_name("cases.toml").write_text(
        '[[case]]\naddress = "bob@example.com"\nprotocol = "multipop"\nexpect = "allow"\n'
    )
    assert run("--file", str(store), "test", "cases.toml").status == 3
