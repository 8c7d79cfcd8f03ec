"""Nothing that fails in the middle of a deploy keeps the report of what was done from being printed."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tests.cli.commands.test_deploy import THREE, result_line
from tests.helpers import Run


def test_a_note_that_cannot_be_read_stops_no_report(deploy: Run, tmp_path: Path) -> None:
    deploy(THREE)
    (tmp_path / "b" / "out.kick").mkdir()
    deploy("", "pop", "off", "alice@example.com")
    result = deploy(THREE, "deploy", "--kick")
    assert result.status == 5
    assert result_line(result, "a") == result_line(result, "c") == ["updated", "changed"]
    assert result_line(result, "b") == ["not updated, old file kept", "failed"]
    assert f"mailpolicy: b: {tmp_path}/b/out.kick: this file is in the way and was not made by mailpolicy" in result.err
    again = deploy(THREE, "deploy", "a", "b", "--json")
    states = {one["name"]: one.get("error", {}).get("exit") for one in json.loads(again.out.splitlines()[0])["exports"]}
    assert states == {"a": None, "b": 5}


def test_a_kick_whose_note_cannot_be_settled_stops_no_report(deploy: Run, tmp_path: Path) -> None:
    kick = tmp_path / "kick"
    kick.write_text(f"#!/bin/sh\nrm -f {tmp_path}/a/out.kick; mkdir {tmp_path}/a/out.kick\n")
    kick.chmod(0o755)
    text = THREE.replace('a/out"\n', 'a/out"\nkick = ["{}/kick"]\n')
    deploy(text)
    deploy(text, "pop", "off", "alice@example.com")
    result = deploy(text, "deploy", "a", "--kick")
    assert result.status == 5
    assert result_line(result, "a") == ["updated", "changed"]
    assert (
        f"sessions that the policy no longer allows may still be open: {tmp_path}/a/out.kick: this file is"
        in result.err
    )


def test_a_file_that_the_disk_did_not_confirm_is_in_its_place(
    deploy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(THREE)
    deploy(THREE, "pop", "off", "alice@example.com")
    real, facts = os.fsync, (tmp_path / "b").stat()
    before = (tmp_path / "b" / "out").read_text()

    def fsync(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), facts) and (tmp_path / "b" / "out").read_text() != before:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    result = deploy(THREE)
    assert result.status == 8
    assert result_line(result, "a") == result_line(result, "c") == ["updated", "changed"]
    assert result_line(result, "b") == ["updated, not confirmed by the disk", "failed"]
    assert (tmp_path / "b" / "out").read_text() != before
