"""What a node does not accept: the policy in force stays, the run fails and says why, and the next good commit passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.nodes.site import STORE, WIDER, Desk, Node, commands

pytestmark = pytest.mark.real
UNSIGNED = "mailpolicy-pull: {newest} is not signed by a key in /etc/mailpolicy/signers; {in_force} stays in force"
NO_DESCENDANT = (
    "mailpolicy-pull: {newest} does not descend from {in_force}; {in_force} stays in force. "
    "Was branch main rewound or force-pushed?"
)
OPENPGP = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iHUEABYKAB0WIQ\n -----END PGP SIGNATURE-----\n"
GPG = """#!/bin/sh
cat > /dev/null
echo "[GNUPG:] NEWSIG"
echo "[GNUPG:] GOODSIG 0123456789ABCDEF ann"
echo "[GNUPG:] TRUST_ULTIMATE 0 pgp"
"""
SSH_KEYGEN = """#!/bin/sh
cat > /dev/null
[ "$2" = verify ] || { echo ann@example.com; exit; }
echo 'Good "git" signature for ann@example.com with ED25519 key SHA256:abc'
"""


def unsigned(desk: Desk) -> None:
    desk.commit(WIDER, "--no-gpg-sign")


def unsigned_merge(desk: Desk) -> None:
    """As a forge makes it: both parents are signed."""
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit(WIDER, push=False)
    desk.git("checkout", "-q", "main")
    desk.git("merge", "-q", "--no-ff", "--no-gpg-sign", "-m", "merge", "topic")
    desk.push()


def another_key(desk: Desk) -> None:
    desk.commit(WIDER, f"-S{desk.key('mallory')}.pub")


def openpgp(desk: Desk) -> None:
    """A signature of GnuPG, whose program on this node would find it good."""
    head, _, message = desk.git("cat-file", "commit", desk.commit(WIDER, "--no-gpg-sign", push=False)).partition("\n\n")
    (desk.folder / "commit").write_text(f"{head}\n{OPENPGP}\n{message}\n")
    desk.push(desk.git("hash-object", "-w", "-t", "commit", str(desk.folder / "commit")))


def moved_signature(desk: Desk) -> None:
    """The signature of another commit."""
    signed = desk.git("cat-file", "commit", desk.commit(STORE + "# good\n", push=False))
    tree = desk.git("rev-parse", f"{desk.commit(WIDER, '--amend', push=False)}^{{tree}}")
    (desk.folder / "commit").write_text(f"tree {tree}\n{signed.partition(chr(10))[2]}\n")
    desk.push(desk.git("hash-object", "-w", "-t", "commit", str(desk.folder / "commit")))


def force_push(desk: Desk) -> None:
    desk.commit(WIDER, "--amend")


def rewound(desk: Desk) -> None:
    desk.push("HEAD~1")


def unrelated(desk: Desk) -> None:
    desk.git("checkout", "-q", "--orphan", "other")
    desk.commit(WIDER)
    desk.git("checkout", "-q", "main")


def invalid(desk: Desk) -> None:
    desk.commit(STORE + "pop_lanonly = true\n")


def no_store(desk: Desk) -> None:
    desk.git("mv", "accounts.toml", "policy.toml")
    desk.commit()


def a_link(desk: Desk) -> None:
    (desk.work / "accounts.toml").unlink()
    (desk.work / "accounts.toml").symlink_to("/etc/mailpolicy/host.toml")
    desk.commit()


def empty(desk: Desk) -> None:
    desk.commit("")


@pytest.mark.parametrize(
    ("push", "status", "message"),
    [
        (unsigned, 5, UNSIGNED),
        (unsigned_merge, 5, UNSIGNED),
        (another_key, 5, UNSIGNED),
        (openpgp, 5, UNSIGNED),
        (moved_signature, 5, UNSIGNED),
        (force_push, 5, NO_DESCENDANT),
        (rewound, 5, NO_DESCENDANT),
        (unrelated, 5, NO_DESCENDANT),
        (no_store, 5, "mailpolicy-pull: {newest} has no accounts.toml; {in_force} stays in force"),
        (invalid, 3, "-:18:1: error[MP005]: unknown key 'pop_lanonly', did you mean "),
        (a_link, 3, "-:1:1: error[MP002]: not TOML"),
        (empty, 3, "`version = 1` as the first line\n"),
    ],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_the_policy_in_force_stays(
    nodes: list[Node], desk: Desk, push: Callable[[Desk], None], status: int, message: str
) -> None:
    node = nodes[0]
    desk.commit(STORE + "# second\n")
    assert node.pull().status == 0
    good = desk.git("rev-parse", "HEAD")
    gpg = node.root / "usr/local/bin/gpg"
    gpg.write_text(GPG)
    gpg.chmod(0o755)
    before = node.policy
    push(desk)
    newest = desk.git("ls-remote", "origin", "refs/heads/main").split()[0]
    if push is openpgp:
        shown = node.run(f"git -C {desk.origin} verify-commit {newest}", GIT_CONFIG_GLOBAL="/dev/null")
        assert shown.status == 0, "plain git believes it"
    for _ in range(2):  # the unit stays red
        ended = node.pull()
        assert ended.status == status, ended.shown
        assert message.format(newest=newest, in_force=good) in ended.shown
        assert node.policy == before
    # The history with the commit in force again, and a good commit on top.
    desk.git("reset", "-q", "--hard", good)
    desk.commit(WIDER)
    assert node.pull().status == 0
    assert node.store.read_text() == WIDER


def test_one_good_signature_vouches_for_what_is_below(nodes: list[Node], desk: Desk) -> None:
    unsigned(desk)
    assert nodes[0].pull().status == 5
    last = desk.commit(WIDER + "# reviewed\n")
    assert (nodes[0].pull().status, nodes[0].in_force) == (0, last)


def test_a_signer_is_replaced(nodes: list[Node], desk: Desk) -> None:
    node, key = nodes[0], f"{desk.key('ben')}.pub"
    ben = desk.signer(Path(key))
    node.signers.write_text(desk.ann + ben)
    desk.commit(WIDER, f"-S{key}")
    assert node.pull().status == 0
    # Without the line of the key that signed the commit in force nothing turns red before somebody uses it again.
    node.signers.write_text(ben)
    assert node.pull() == (0, "")
    desk.commit(STORE)
    assert node.pull().status == 5
    desk.commit(None, f"-S{key}")
    assert node.pull().status == 0
    node.signers.unlink()
    desk.commit(WIDER, f"-S{key}")
    assert node.pull().status == 5


def test_the_date_of_a_commit_is_its_own(nodes: list[Node], desk: Desk) -> None:
    """Why docs/several-nodes.md says to remove the line of a stolen key."""
    nodes[0].signers.write_text(desk.signer(desk.folder / "home/.ssh/id_ed25519.pub", 'valid-before="20260101"'))
    desk.commit(WIDER)
    assert nodes[0].pull().status == 5
    desk.commit(None, GIT_COMMITTER_DATE="2025-12-01T12:00:00Z")
    assert nodes[0].pull().status == 0


def test_the_first_run(tmp_path: Path, nodes: list[Node], desk: Desk) -> None:
    old, new = desk.git("rev-parse", "HEAD"), desk.commit(WIDER)
    node = Node(tmp_path / "mx4", desk, commands("Set up a node")[0])
    missing = "7b1c9f60d2f3a7c1f0b7de6a6c0c0a5a0e1d4c11"
    for arguments, message in (
        ((), "no commit is in force yet; name the one to start from: mailpolicy-pull COMMIT"),
        ((missing,), f"there is no commit {missing} in /var/lib/mailpolicy/policy.git"),
    ):
        ended = node.pull(*arguments)
        assert (ended.status, ended.shown) == (5, f"mailpolicy-pull: {message}\n")
    for name in ("--help", "refs/remotes/origin/main", new[:12]):
        ended = node.pull(name)
        message = f"{name} is not the whole name of a commit, 40 or 64 of 0-9 a-f"
        assert (ended.status, ended.shown, node.in_force) == (2, f"mailpolicy-pull: {message}\n", None)
    # The server hands out an older commit than the one that was read elsewhere.
    desk.push(old)
    ended = node.pull(new)
    assert (ended.status, node.in_force) == (5, None)
    assert ended.shown.splitlines()[-1] == (
        f"mailpolicy-pull: {old} does not descend from {new}; still no commit is in force. "
        "Was branch main rewound or force-pushed?"
    )
    desk.push(new)
    assert (node.pull(old).status, node.in_force) == (0, new)
    ended = node.pull(old)
    assert (ended.status, ended.shown) == (
        2,
        f"mailpolicy-pull: a commit is in force, {new}; COMMIT is only for the first run\n",
    )


def test_the_other_side_cannot_set_the_commit_in_force(nodes: list[Node], desk: Desk) -> None:
    node, before = nodes[0], nodes[0].in_force
    last = desk.commit(WIDER, push=False)
    desk.git(
        "push", "-q", "origin", "HEAD:refs/mailpolicy/in-force", f"HEAD~1:refs/replace/{last}", "HEAD:refs/heads/x"
    )
    assert node.pull() == (0, "")
    assert node.in_force == before
    assert node.git("for-each-ref", "--format=%(refname)").split() == [
        "refs/mailpolicy/in-force",
        "refs/remotes/origin/main",
    ]


def test_neither_the_environment_nor_configuration_deceives_it(nodes: list[Node], desk: Desk) -> None:
    node = nodes[0]
    public = f"{desk.key('mallory')}.pub"
    signers = desk.folder / "other-signers"
    signers.write_text(desk.signer(Path(public)))
    global_config = desk.folder / "gitconfig"
    believing = desk.folder / "ssh-keygen"
    believing.write_text(SSH_KEYGEN)
    believing.chmod(0o755)
    global_config.write_text(f'[gpg "ssh"]\nallowedSignersFile = {signers}\nprogram = {believing}\n')
    desk.commit(WIDER, f"-S{public}")
    before = node.policy
    assert node.run(f"git -C {desk.origin} verify-commit main", GIT_CONFIG_GLOBAL=str(global_config)).status == 0
    for environment in (
        {"GIT_CONFIG_GLOBAL": str(global_config)},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gpg.ssh.program", "GIT_CONFIG_VALUE_0": str(believing)},
        {"GIT_CONFIG_PARAMETERS": f"'gpg.ssh.program'='{believing}'"},
        {"GIT_DIR": str(desk.work / ".git"), "GIT_WORK_TREE": str(desk.work)},
    ):
        ended = node.pull(environment=environment)
        assert (ended.status, node.policy) == (5, before), ended.shown
        assert "is not signed by a key in /etc/mailpolicy/signers" in ended.shown


def test_without_a_repository(nodes: list[Node]) -> None:
    node = nodes[0]
    node.repository.rename(node.repository.with_name("away"))
    ended = node.pull()
    assert ended == (5, "mailpolicy-pull: there is no repository /var/lib/mailpolicy/policy.git\n")


def test_no_variable_of_the_caller_leads_elsewhere(nodes: list[Node], desk: Desk, tmp_path: Path) -> None:
    node, other = nodes[0], tmp_path / "other.toml"
    commit = desk.commit(WIDER)
    host = {"MAILPOLICY_FILE": str(other), "MAILPOLICY_HOST_CONFIG": "/dev/null", "GIT_NAMESPACE": "x"}
    assert node.pull(environment=host).status == 0
    assert (node.in_force, node.store.read_text(), other.exists()) == (commit, WIDER, False)


def test_signers_that_others_can_change(nodes: list[Node], desk: Desk) -> None:
    node, before = nodes[0], nodes[0].policy
    desk.commit(WIDER)
    node.signers.chmod(0o666)
    ended = node.pull()
    assert (ended.status, node.policy) == (5, before)
    assert "others can change /etc/mailpolicy/signers" in ended.shown
    node.signers.chmod(0o644)
    assert node.pull().status == 0


def test_secrets_that_are_not_a_file(nodes: list[Node], desk: Desk) -> None:
    node = nodes[0]
    node.with_secrets()
    (desk.work / "secrets").mkdir()
    (desk.work / "secrets/x").write_text("x")
    before = node.policy
    commit = desk.commit(WIDER)
    ended = node.pull()
    assert (ended.status, node.policy) == (5, before)
    assert (
        ended.shown.splitlines()[-1]
        == f"mailpolicy-pull: secrets of {commit} is not a file; {before[0]} stays in force"
    )
    assert not (node.root / "var/lib/mailpolicy/secrets.new").exists()
