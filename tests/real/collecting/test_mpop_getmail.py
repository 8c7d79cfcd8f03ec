"""Check what a real mpop and a real getmail collect with the exported files, and for whom."""

from __future__ import annotations

import pytest

from tests.real.collecting.collector import CLOSED, LEFT, POLICY, Collector, polled
from tests.real.collecting.programs import getmail, mpop

pytestmark = pytest.mark.real


def test_mpop(policy: Collector) -> None:
    refused = mpop(policy, "keeps@example.com/elsewhere", trusted=False)
    assert refused.status != 0
    assert "certificate" in refused.err
    assert policy.handed_in() == []
    result = mpop(policy, "-a")
    assert result.status == 0, result.out + result.err
    assert policy.handed_in() == polled(POLICY)
    assert mpop(policy, "keeps@example.com/elsewhere").status == 0
    assert len(policy.inbox.mails) == len(polled(POLICY))
    assert policy.left() == LEFT
    for login in CLOSED:
        assert f"Login: user=<{login}>" not in policy.elsewhere.log()


def test_getmail(policy: Collector) -> None:
    keeps, takes, limits = POLICY[:3]
    (plain,) = [source for source in POLICY if source.login == "plain"]
    (blanks,) = [source for source in POLICY if source.password.startswith(" ")]
    assert getmail(policy, keeps, trusted=False).status != 0
    assert policy.handed_in() == []
    chosen = [keeps, takes, limits, plain]  # getmail has no STARTTLS
    for source in chosen:
        result = getmail(policy, source)
        assert result.status == 0, result.out + result.err
    assert policy.handed_in() == polled(chosen)
    assert getmail(policy, keeps).status == 0
    assert len(policy.inbox.mails) == len(chosen)
    assert policy.left() == LEFT
    # White space at the ends of a password is what getmail does not keep; it has no other to log in with.
    assert getmail(policy, blanks).status != 0
    assert len(policy.inbox.mails) == len(chosen)
