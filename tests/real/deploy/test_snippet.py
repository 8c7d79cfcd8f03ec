"""Check that deploy writes a snippet only if the real Dovecot takes it, and says who is asked before the policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailpolicy.deploy import dovecot as deployed
from mailpolicy.errors import Refused
from tests.real.deploy.site import AFTER, BEFORE, OFF, Mailpolicy, checked, not_obeyed
from tests.real.dovecot import Dovecot
from tests.real.dovecot_releases import VERSIONS

pytestmark = pytest.mark.real


def passdb(version: str, name: str, *settings: str) -> str:
    """A passdb of the site that lets everybody in."""
    if version == "2.3":
        heading, lines = "passdb", ["driver = static", f"name = {name}", "args = nopassword", *settings]
    else:
        heading, lines = f"passdb {name}", ["driver = static", "fields {", "nopassword = yes", "}", *settings]
    return "\n".join([f"{heading} {{", *lines, "}", ""])


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
        assert result.out.splitlines()[-1].endswith("\tupdated, but the service does not enforce it\tfailed")
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
        deployed.refuse_broken(found, doveconf, str(path), snippet)

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


def test_a_snippet_that_nothing_reads_is_an_error(dovecot: Dovecot, mailpolicy: Mailpolicy) -> None:
    main = dovecot.settings
    main.write_text(main.read_text().replace("!include_try conf.d", "!include_try conf.other"))
    not_obeyed(mailpolicy, f"Dovecot does not read {dovecot.snippet}")
    assert dovecot.snippet.exists()


@pytest.mark.parametrize(
    ("doveconf", "said"),
    [
        (["false"], "failed (exit 1)"),
        (["echo", "hello"], "does not print"),
        (["/etc/passwd"], "cannot start: permission denied"),
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
