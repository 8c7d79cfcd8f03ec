"""deploy and doctor ask the real Dovecot: its version, whether it takes the snippet, and whom it asks before the policy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.deploy import dovecot as deployed
from mailpolicy.errors import Refused
from tests.helpers import Result, Run
from tests.real.clients import Attempt
from tests.real.dovecot import Dovecot
from tests.real.dovecot_releases import VERSIONS

pytestmark = pytest.mark.real

STORE = """\
version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8"]
[accounts."off@example.com"]
[accounts."on@example.com"]
imap = true
pop = true
"""
OFF = Attempt("imap", "10.0.0.1", "off@example.com", "secret")
ON = OFF._replace(user="on@example.com")
Mailpolicy = Callable[..., Result]


@pytest.fixture
def mailpolicy(dovecot: Dovecot, run: Run, tmp_path: Path) -> Mailpolicy:
    """Run a command on a machine with the two exports of a Dovecot where on@example.com may log in and off@example.com not."""
    store, host = tmp_path / "accounts.toml", tmp_path / "host.toml"
    store.write_text(STORE, encoding="utf-8")
    host.write_text(dovecot.exports(), encoding="utf-8")
    dovecot.let_in({OFF.user: OFF.password, ON.user: ON.password})
    return lambda *arguments: run("--file", str(store), "--host-config", str(host), *arguments)


def checked(mailpolicy: Mailpolicy) -> tuple[str, str]:
    """The state and the message of doctor's check of Dovecot."""
    (found,) = [one for one in json.loads(mailpolicy("doctor", "--json").out)["checks"] if one["check"] == "dovecot"]
    return found["state"], found["message"]


def passdb(version: str, name: str, *settings: str) -> str:
    """A passdb of the site that lets everybody in."""
    if version == "2.3":
        heading, lines = "passdb", ["driver = static", f"name = {name}", "args = nopassword", *settings]
    else:
        heading, lines = f"passdb {name}", ["driver = static", "fields {", "nopassword = yes", "}", *settings]
    return "\n".join([f"{heading} {{", *lines, "}", ""])


BEFORE, AFTER = "00-a-site.conf", "50-site.conf"
LIMIT = "protocol imap {\nmail_max_userip_connections = 3\n}\n"


@pytest.mark.parametrize(
    ("file", "text", "settings", "early"),
    [
        pytest.param(BEFORE, "protocol imap {\nPASSDB}\n", (), "more in protocol imap", id="imap"),
        pytest.param(BEFORE, "protocol !smtp {\nPASSDB}\n", (), "more in protocol !smtp", id="not-smtp"),
        pytest.param(BEFORE, "protocol !imap {\nPASSDB}\n", (), "more in protocol !imap", id="not-imap"),
        # Blocks count in the order in which they are first met.
        pytest.param(BEFORE, LIMIT + "protocol !imap {\nPASSDB}\n", (), "more in protocol !imap", id="limit-not-imap"),
        pytest.param(BEFORE, LIMIT + "protocol pop3 {\n}\nprotocol !smtp {\nPASSDB}\n", (), None, id="limit-not-smtp"),
        pytest.param(BEFORE, "protocol smtp {\nPASSDB}\n", (), None, id="smtp"),
        pytest.param(BEFORE, "PASSDB", (), None, id="global"),
        pytest.param(BEFORE, "protocol imap {\nPASSDB}\n", ("deny = yes",), None, id="deny"),
        pytest.param(BEFORE, "protocol imap {\nPASSDB}\n", ("master = yes",), None, id="master"),
        pytest.param(AFTER, "protocol imap {\nPASSDB}\n", (), None, id="after"),
        pytest.param(AFTER, "protocol !smtp {\nPASSDB}\n", (), None, id="not-smtp-after"),
    ],
)
def test_who_is_asked_before_the_policy_is_named(
    dovecot: Dovecot, mailpolicy: Mailpolicy, file: str, text: str, settings: tuple[str, ...], early: str | None
) -> None:
    content = text.replace("PASSDB", passdb(dovecot.release.version, "more", *settings))
    (dovecot.folder / "conf.d" / file).write_text(content, encoding="utf-8")
    result = mailpolicy("deploy")
    dovecot.start()
    let_in = any(dovecot.ask([OFF, OFF._replace(service="pop3")]))
    state, message = checked(mailpolicy)
    if early is None:
        assert (result.status, let_in, state) == (0, False, "ok"), (result.err, message)
    else:
        assert (result.status, let_in, state) == (5, True, "error"), (result.err, message)
        assert early in result.err
        assert early in message
        assert result.out.splitlines()[-1].endswith("\tas the policy says, but its reader does not obey it\tfailed")
        looked = mailpolicy("deploy", "--check")
        assert (looked.status, looked.out.splitlines()[-1].split("\t")[-1]) == (1, "differs")


def test_what_the_site_says_of_its_passdb_for_one_protocol_is_no_other_passdb(
    dovecot: Dovecot, mailpolicy: Mailpolicy
) -> None:
    """With 2.4, where a name makes a passdb what it is; with 2.3 it is one more."""
    version = dovecot.release.version
    content = f"protocol imap {{\n{passdb(version, 'site')}}}\n"
    (dovecot.folder / "conf.d" / BEFORE).write_text(content, encoding="utf-8")
    status = mailpolicy("deploy").status
    dovecot.start()
    found = (status, dovecot.ask([OFF]), checked(mailpolicy)[0])
    assert found == ((5, [True], "error") if version == "2.3" else (0, [False], "ok"))


def test_a_snippet_for_another_version_is_not_written(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> None:
    """Also when Dovecot became another one below the snippet; the right one is written over it then."""
    (other,) = set(VERSIONS) - {dovecot.release.version}
    host = tmp_path / "host.toml"
    right = host.read_text()
    wrong = right.replace(f'dovecot = "{dovecot.release.version}"', f'dovecot = "{other}"')

    def refused() -> None:
        result = mailpolicy("deploy")
        assert result.status == 5
        assert f'set dovecot = "{dovecot.release.version}" in host.toml' in result.err
        assert dovecot.data.exists(), "what lets people in is brought up to date all the same"
        state, message = checked(mailpolicy)
        assert state == "error"
        assert f"for Dovecot {other}" in message

    host.write_text(wrong, encoding="utf-8")
    refused()
    assert not dovecot.snippet.exists()
    old = mailpolicy(
        "export", "dovecot-conf", "--dovecot", other, "--data", str(dovecot.data), "-o", str(dovecot.snippet)
    )
    assert old.status == 0
    refused()
    host.write_text(right, encoding="utf-8")
    result = mailpolicy("deploy")
    assert result.status == 0, result
    assert checked(mailpolicy)[0] == "ok"


def test_a_configuration_that_dovecot_does_not_take_is_not_written(dovecot: Dovecot, mailpolicy: Mailpolicy) -> None:
    broken = dovecot.folder / "conf.d" / "50-site.conf"
    broken.write_text("protocol imap {\n  what is this\n}\n")
    result = mailpolicy("deploy")
    assert result.status == 5
    assert f"{dovecot.snippet}: nothing was written" in result.err
    assert "50-site.conf line 2" in result.err
    assert not dovecot.snippet.exists()
    assert checked(mailpolicy)[0] == "error"
    broken.unlink()
    assert mailpolicy("deploy").status == 0
    broken.write_text("what is this\n")
    state, message = checked(mailpolicy)
    assert state == "error"
    assert "50-site.conf line 1" in message
    assert mailpolicy("deploy").status == 5
    assert dovecot.snippet.exists()


def included(dovecot: Dovecot, where: str) -> Path:
    """A path that the configuration reads, or does not read yet, in one of the ways in which sites have them."""
    folder, main = dovecot.folder, dovecot.settings
    if where == "nested":
        (folder / "conf.d" / "90-more.conf").write_text("!include  ../more/*.conf # and these\n")
        (folder / "more").mkdir()
        (folder / "more" / "password").write_text("unused")
        (folder / "more" / "1.conf").write_text("ssl_cipher_list = <password\n")
        return folder / "more" / "ours.conf"
    if where == "link":
        (folder / "elsewhere.conf").write_text("")
        (folder / "conf.d" / "00-link.conf").symlink_to(folder / "elsewhere.conf")
        return folder / "elsewhere.conf"
    if where == "absolute":
        main.write_text(f"{main.read_text()}!include_try {folder}/only.conf\n")
        return folder / "only.conf"
    if where == "nowhere":
        return folder / "nowhere.conf"
    return folder / "conf.d" / "00-mailpolicy.conf"


@pytest.mark.parametrize("where", ["globbed", "nested", "link", "absolute", "nowhere"])
def test_the_snippet_is_tried_where_it_will_be_read(dovecot: Dovecot, where: str) -> None:
    path = included(dovecot, where)
    before = sorted(dovecot.folder.rglob("*"))
    doveconf = deployed.Doveconf(dovecot.doveconf)
    found = doveconf.configuration()
    assert found is not None
    assert (found.failure, found.path) == (None, str(dovecot.settings))
    assert found.version.startswith(dovecot.release.version)

    def tried(snippet: bytes) -> None:
        deployed.refuse_unfit(found, doveconf, str(path), snippet)

    tried(b"auth_verbose = no\n")
    tried(b"# nothing\nprotocol imap {\n}\n")
    with pytest.raises(Refused, match=f"{path.name} line 2: ") as refused:
        tried(b"auth_verbose = no\nwhat is this\n")
    assert f"file {path}" in str(refused.value), "the file is called by its own name"
    assert sorted(dovecot.folder.rglob("*")) == before


def test_where_dovecot_is_not_it_is_said_and_the_files_are_made(
    dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path
) -> None:
    host = tmp_path / "host.toml"
    host.write_text(host.read_text().replace(json.dumps(dovecot.doveconf), '["/nonexistent/doveconf"]'))
    result = mailpolicy("deploy")
    assert result.status == 0
    assert "/nonexistent/doveconf" in result.err
    assert dovecot.snippet.exists()
    assert "/nonexistent/doveconf" not in mailpolicy("deploy").err
    assert checked(mailpolicy)[0] == "warning"


def not_obeyed(mailpolicy: Mailpolicy, *named: str) -> None:
    """It is an error every time, for whoever deploys, only looks, or asks the doctor."""
    for arguments, status in ((("deploy",), 5), (("deploy",), 5), (("deploy", "--check"), 1)):
        result = mailpolicy(*arguments)
        assert result.status == status, result
        assert all(part in result.err for part in named), result.err
    assert result.out.splitlines()[-1].endswith("\tdiffers")
    state, message = checked(mailpolicy)
    assert (state, mailpolicy("doctor").status) == ("error", 1), message
    assert all(part in message for part in named), message


def test_a_snippet_that_nothing_reads_is_an_error(dovecot: Dovecot, mailpolicy: Mailpolicy) -> None:
    main = dovecot.settings
    main.write_text(main.read_text().replace("!include_try conf.d", "!include_try conf.other"))
    not_obeyed(mailpolicy, f"Dovecot does not read {dovecot.snippet}")
    assert dovecot.snippet.exists()


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
    not_obeyed(mailpolicy, str(other), "is not there")
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


@pytest.mark.parametrize(
    ("doveconf", "said"),
    [
        (["false"], "ended with 1"),
        (["echo", "hello"], "does not print"),
        (["/etc/passwd"], "cannot be started: permission denied"),
        (["sh", "-c", "yes"], "printed more than"),
    ],
)
def test_a_doveconf_that_does_not_answer_is_said_and_nothing_is_written(
    dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path, doveconf: list[str], said: str
) -> None:
    host = tmp_path / "host.toml"
    host.write_text(host.read_text().replace(json.dumps(dovecot.doveconf), json.dumps(doveconf)))
    result = mailpolicy("deploy")
    assert result.status == 5
    assert said in result.err
    assert not dovecot.snippet.exists()
    assert dovecot.data.exists(), "what lets people in is brought up to date all the same"
    state, message = checked(mailpolicy)
    assert state == "error"
    assert said in message
