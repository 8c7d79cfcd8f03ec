"""Check what a real fetchmail collects with the exported file, and for whom."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.helpers import Result, Run
from tests.real.collecting.collector import CLOSED, LEFT, NOBODY, PASSWORDS, POLICY, Collector, Source, mail_of, polled

pytestmark = pytest.mark.real
_DONE = 0  # fetchmail's exit status
AWKWARD = [
    Source(f"{name}@example.com", f"{login}@elsewhere.test", password)
    for (name, password), login in zip(
        PASSWORDS.items(), ["it's", "dom\\user", 'a"b', "x#y", "p$1", "q%s", "r", "s"], strict=True
    )
]


@pytest.fixture
def awkward(programs: ExitStack, run: Run, monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector(programs, run, AWKWARD)
    collector.machine.here(monkeypatch)
    return collector


def test_fetchmail_with_awkward_passwords_from_a_file(awkward: Collector) -> None:
    path = awkward.folder / "exported/fetchmailrc"
    awkward.machine.host_config.write_text(
        f'[exports.collect]\ntarget = "fetchmail"\npath = "{path}"\nowner = "{NOBODY}"\n'
        f'smtp = "127.0.0.1/{awkward.inbox.port}"\n'
    )
    awkward.run("deploy")
    assert path.stat().st_mode & 0o777 == 0o600
    result = awkward.fetchmail("-f", str(path))
    assert result.status == _DONE, result.out + result.err
    assert awkward.handed_in() == polled(AWKWARD)


def test_fetchmail_from_stdin_does_what_the_policy_says(policy: Collector) -> None:
    exported = ["export", "fetchmail", "--smtp", f"127.0.0.1/{policy.inbox.port}"]

    def collect(*, trusted: bool = True) -> Result:
        return policy.fetchmail("-f", "-", stdin=policy.run(*exported).out, trusted=trusted)

    unprotected = [(source.address, source.login) for source in POLICY if "none" in source.more]
    assert "certificate" in collect(trusted=False).err
    assert policy.handed_in() == unprotected

    policy.write("multipop = false")
    assert "poll " not in policy.run(*exported).out
    assert collect().status != _DONE
    assert policy.handed_in() == unprotected

    policy.write("multipop = true")
    result = collect()
    assert policy.handed_in() == polled(POLICY), result.err
    assert policy.left() == LEFT

    # What was kept is not fetched again, what came since is.
    policy.elsewhere.deliver("keeps", "second", mail_of("keeps"))
    collect()
    assert policy.handed_in() == sorted([*polled(POLICY), ("keeps@example.com", "keeps")])
    for login in CLOSED:
        assert f"Login: user=<{login}>" not in policy.elsewhere.log()
    assert not [path for path in policy.home.rglob("*") if path.is_file() and b"there with" in path.read_bytes()]
