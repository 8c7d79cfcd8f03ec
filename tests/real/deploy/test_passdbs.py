"""Check that deploy and doctor name all that a configuration of the real Dovecot changes of the policy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.real.deploy.site import AFTER, BEFORE, OFF, ON, Mailpolicy, checked, not_obeyed
from tests.real.dovecot import Dovecot

pytestmark = pytest.mark.real
OURS = "passdb mailpolicy-imap {\nSETTINGS\n}\n"
IN_IMAP = f"protocol imap {{\n{OURS}}}\n"
NOT_SMTP = f"protocol !smtp {{\n{OURS}}}\n"
OPEN = "driver = static\nfields {\nnopassword = yes\n}"
LIKE = IN_IMAP.replace("mailpolicy-imap", "mailpolicy-imap-more")
FIRST = "protocol imap {\npassdb mailpolicy-imap-verified {\nresult_failure = continue-fail\n}\n}\n"
NAMED_23 = "passdb {\nname = mailpolicy-imap\ndriver = static\nargs = nopassword\n}\n"
LIKE_23 = NAMED_23.replace("mailpolicy-imap", "mailpolicy-imap-more")


@pytest.mark.parametrize(
    ("dovecot", "file", "text", "settings", "named"),
    [
        pytest.param("2.4", AFTER, IN_IMAP, "result_failure = continue", None, id="failure"),
        pytest.param("2.4", AFTER, IN_IMAP, "result_success = return-ok", None, id="success"),
        pytest.param("2.4", AFTER, IN_IMAP, "skip = unauthenticated", None, id="skip"),
        pytest.param("2.4", AFTER, IN_IMAP, "mechanisms_filter = xoauth2", None, id="mechanisms"),
        pytest.param("2.4", AFTER, IN_IMAP, "username_filter = !off@*", None, id="username"),
        pytest.param("2.4", AFTER, IN_IMAP, "passwd_file_path = FOLDER/old", None, id="old-snippet"),
        pytest.param("2.4", AFTER, IN_IMAP, OPEN, "driver = static", id="driver"),
        pytest.param("2.4", AFTER, NOT_SMTP, OPEN, "driver = static", id="not-smtp"),
        pytest.param("2.4", AFTER, OURS, OPEN, "driver = static", id="global"),
        pytest.param(
            "2.4", AFTER, OURS, "driver = passwd-file", "passdb mailpolicy-imap outside", id="global-the-same"
        ),
        pytest.param("2.4", BEFORE, OURS, OPEN, "driver = static", id="global-before"),
        pytest.param(
            "2.4", AFTER, "passdb_mechanisms_filter = xoauth2\n", "", "passdb_mechanisms_filter", id="default"
        ),
        pytest.param(
            "2.4",
            AFTER,
            "protocol imap {\npassdb_username_filter = !*@example.com\n}\n",
            "",
            "passdb_username_filter = !*@example.com in protocol imap",
            id="default-imap",
        ),
        # A name like ours is none of ours, and one of ours read early is not all of ours.
        pytest.param("2.4", BEFORE, LIKE, OPEN, "mailpolicy-imap-more in protocol imap", id="like"),
        pytest.param("2.4", BEFORE, f"{FIRST}{LIKE}", OPEN, "mailpolicy-imap-more in protocol imap", id="between"),
        pytest.param(
            "2.3",
            BEFORE,
            f"protocol imap {{\n{LIKE_23}}}\n",
            "",
            "mailpolicy-imap-more in protocol imap",
            id="2.3-like",
        ),
        pytest.param("2.3", BEFORE, f"protocol imap {{\n{NAMED_23}}}\n", "", "driver = static", id="2.3-before"),
        pytest.param("2.3", BEFORE, f"protocol !smtp {{\n{NAMED_23}}}\n", "", "driver = static", id="2.3-not-smtp"),
    ],
    indirect=["dovecot"],
)
def test_what_changes_the_passdbs_of_the_policy_is_named(
    dovecot: Dovecot, mailpolicy: Mailpolicy, file: str, text: str, settings: str, named: str | None
) -> None:
    (dovecot.folder / "old").write_text("imap/off@example.com:*::::::\n")
    content = text.replace("SETTINGS", settings).replace("FOLDER", str(dovecot.folder))
    (dovecot.folder / "conf.d" / file).write_text(content)
    not_obeyed(
        mailpolicy, named or settings.replace("FOLDER", str(dovecot.folder)), "mailpolicy-imap" if not named else ""
    )
    dovecot.start()
    answers = dovecot.ask([OFF, ON, ON._replace(password="wrong")])
    assert answers != [False, True, False], "Dovecot does not do what the policy says"


@pytest.mark.parametrize(
    ("dovecot", "file", "text"),
    [
        # What ours says later counts.
        pytest.param("2.4", BEFORE, FIRST.replace("continue-fail", "continue"), id="before"),
        pytest.param("2.4", AFTER, IN_IMAP.replace("SETTINGS", "result_failure = return-fail"), id="the-same"),
        pytest.param(
            "2.4", AFTER, "passdb_use_cache = no\npassdb_default_password_scheme = SHA512\n", id="idle-default"
        ),
        # To 2.3 the name is no name: each of them is a passdb of its own.
        pytest.param("2.3", AFTER, f"protocol imap {{\n{NAMED_23}}}\n", id="2.3-after"),
        pytest.param("2.3", BEFORE, NAMED_23, id="2.3-global"),
    ],
    indirect=["dovecot"],
)
def test_what_changes_nothing_of_the_policy_is_no_error(
    dovecot: Dovecot, mailpolicy: Mailpolicy, file: str, text: str
) -> None:
    (dovecot.folder / "conf.d" / file).write_text(text)
    result = mailpolicy("deploy")
    assert (result.status, checked(mailpolicy)[0]) == (0, "ok"), result.err
    dovecot.start()
    assert dovecot.ask([OFF, ON]) == [False, True]


@pytest.mark.parametrize("dovecot", ["2.4"], indirect=True)  # 2.3 has one passdb of the policy for each service
def test_the_passdbs_of_the_policy_are_asked_in_their_order(dovecot: Dovecot, mailpolicy: Mailpolicy) -> None:
    """Since Dovecot 2.4.2 the one for passwords would let every token in, were it asked before those for tokens."""
    early = IN_IMAP.replace("SETTINGS", "result_failure = return-fail")
    (dovecot.folder / "conf.d" / BEFORE).write_text(early)
    not_obeyed(mailpolicy, "mailpolicy-imap in protocol imap")


@pytest.mark.parametrize("options", [{"default_domain": "example.com"}, {"strategy": "deny-list"}, {"lock": ["smtp"]}])
def test_the_snippet_is_found_as_it_is_written(
    dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path, options: dict[str, object]
) -> None:
    (tmp_path / "host.toml").write_text(dovecot.exports(**options), encoding="utf-8")
    result = mailpolicy("deploy")
    assert (result.status, checked(mailpolicy)[0]) == (0, "ok"), result.err


def test_data_that_nothing_makes_is_an_error(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> None:
    """Until the file is there, whoever makes it."""
    host = tmp_path / "host.toml"
    other = dovecot.folder / "other.passwd"
    host.write_text(host.read_text().replace(f'data = "{dovecot.data}"', f'data = "{other}"'))
    not_obeyed(mailpolicy, str(other), "does not exist")
    dovecot.start()
    assert dovecot.ask([ON]) == [False]
    dovecot.data.replace(other)
    assert checked(mailpolicy)[0] == "ok"
    assert dovecot.ask([ON]) == [True]


@pytest.mark.skipif(os.getuid() != 0, reason="files of others can be made by root only")
@pytest.mark.parametrize(
    ("owner", "mode", "folder", "service", "reads"),
    [
        ("root:root", 0o640, 0o755, "", False),
        ("root:dovecot", 0o640, 0o755, "", True),
        ("root:dovecot", 0o600, 0o755, "", False),
        ("root:root", 0o644, 0o755, "", True),
        ("root:root", 0o644, 0o700, "", False),
        ("dovecot:root", 0o440, 0o755, "", True),
        ("root:root", 0o640, 0o700, "user = root", True),
        ("root:mail", 0o640, 0o755, "", False),
        ("root:mail", 0o640, 0o755, "extra_groups = mail", True),
        ("root:dovecot", 0o640, 0o755, "user = nobody", False),
    ],
)
def test_data_that_dovecot_cannot_read_is_an_error(
    dovecot: Dovecot,
    mailpolicy: Mailpolicy,
    tmp_path: Path,
    owner: str,
    mode: int,
    folder: int,
    service: str,
    reads: bool,
) -> None:
    data = dovecot.folder / "data" / "mailpolicy.passwd"
    data.parent.mkdir()
    data.parent.chmod(folder)
    host = tmp_path / "host.toml"
    text = host.read_text().replace(str(dovecot.data), str(data)).replace(":dovecot", owner)
    host.write_text(text.replace("[exports.dovecot]", f'[exports.dovecot]\nmode = "0{mode:o}"'))
    if service:
        (dovecot.folder / "conf.d" / AFTER).write_text(f"service auth {{\n{service}\n}}\n")
    if reads:
        result = mailpolicy("deploy")
        assert (result.status, checked(mailpolicy)[0]) == (0, "ok"), result.err
    else:
        not_obeyed(mailpolicy, "auth process", str(data))
    dovecot.start()
    assert dovecot.ask([ON]) == [reads]
