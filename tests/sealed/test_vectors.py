"""Read the test vectors of docs/sealed-file.md with mailpolicy and with the reader on that page."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Key, Secrets, parse_header, parse_master_key
from mailpolicy.sealed.key_source import KeyLocations
from tests.docs.pages import PAGES, blocks
from tests.helpers import ROOT

FOLDER = ROOT / "docs" / "sealed-file"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text(encoding="ascii"))
PAGE = "docs/sealed-file.md"
READER = {block.kind: block.text for block in blocks(PAGE) if block.heading == "A reader"}
PROGRAM = "reader.py"
THEIRS: dict[str, Any] = {"__name__": PROGRAM}
exec(compile(READER["python"], PROGRAM, "exec"), THEIRS)

Vector = dict[str, Any]


def _ours(vector: Vector, folder: Path) -> Secrets:
    """What mailpolicy reads of a vector as files, with the next key beside the key."""
    for name, content in zip(("key", "key.next"), vector["master_keys"], strict=False):
        (folder / name).write_bytes(bytes.fromhex(content))
        (folder / name).chmod(0o400)
    (folder / "secrets").write_bytes(bytes.fromhex(vector["file"]))
    return SecretsFile.at(str(folder / "secrets"), KeyLocations(key_file=str(folder / "key"))).get_all()


def _theirs(vector: Vector, _folder: Path) -> Secrets:
    """What the reader on the page reads."""
    found: Secrets = THEIRS["secrets"](
        bytes.fromhex(vector["file"]), [THEIRS["master_key"](bytes.fromhex(key)) for key in vector["master_keys"]]
    )
    return found


Read = Callable[[Vector, Path], Secrets]
READERS = pytest.mark.parametrize("read", [_ours, _theirs], ids=["mailpolicy", "page"])


def _vectors(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda vector: vector["name"])


@READERS
@_vectors("opened")
def test_a_file_is_opened(read: Read, vector: Vector, tmp_path: Path) -> None:
    assert read(vector, tmp_path) == vector["secrets"]


@READERS
@_vectors("refused")
def test_a_file_is_refused(read: Read, vector: Vector, tmp_path: Path) -> None:
    with pytest.raises((KeyringError, ValueError)) as caught:
        read(vector, tmp_path)
    assert getattr(caught.value, "code", caught.value.args[0]) == vector["refused"]


@_vectors("opened")
def test_the_steps_in_between(vector: Vector) -> None:
    """Somebody whose reader fails compares these one after the other."""
    content, plain = bytes.fromhex(vector["file"]), vector["plaintext"].encode()
    header = f"mailpolicy-secrets 1 {vector['key_id']} {vector['writes']}\n".encode()
    assert tuple(parse_header("FILE", content)) == (vector["key_id"], int(vector["writes"]))
    (key,) = (each for each in map(Key, map(bytes.fromhex, vector["master_keys"])) if each.id == vector["key_id"])
    nonce = bytes.fromhex(vector["nonce"])
    assert content == header + nonce + key.cipher.encrypt(nonce, plain, header)
    assert json.loads(plain) == vector["secrets"]


@pytest.mark.parametrize("derived", VECTORS["derived"], ids=lambda derived: derived["id"])
def test_the_derivation(derived: Vector) -> None:
    master = bytes.fromhex(derived["master_key"])
    assert Key(master).id == THEIRS["derived"](master, b"id", 8).hex() == derived["id"]
    assert THEIRS["derived"](master, b"secrets", 32).hex() == derived["aes_key"]


@_vectors("key_files")
def test_a_key_file(vector: Vector) -> None:
    content = bytes.fromhex(vector["content"])
    if "refused" not in vector:
        assert parse_master_key("KEY", content) == THEIRS["master_key"](content) == bytes.fromhex(vector["master_key"])
        return
    with pytest.raises(KeyringError) as caught:
        parse_master_key("KEY", content)
    assert caught.value.code == vector["refused"]
    with pytest.raises(ValueError, match=f"^{vector['refused']}$"):
        THEIRS["master_key"](content)


def test_each_reason_on_the_page_has_a_vector() -> None:
    """Except a file of 256 MiB, which is too large to keep."""
    table = (ROOT / PAGE).read_text(encoding="utf-8").partition("must refuse\n")[2].partition("\n## ")[0]
    on_page = {line.rsplit("`", 2)[1] for line in table.splitlines() if line.endswith("` |")}
    assert on_page == {
        vector["refused"] for kind in ("refused", "key_files") for vector in VECTORS[kind] if "refused" in vector
    }


def test_the_reader_as_a_program(tmp_path: Path) -> None:
    """As the page shows it, on the files beside the page."""
    (tmp_path / PROGRAM).write_text(READER["python"], encoding="utf-8")
    shown, output = READER["console"].split("\n", 1)
    words = shown.removeprefix("$ ").split()
    assert words[:2] == ["python3", PROGRAM]
    run = subprocess.run(
        [sys.executable, str(tmp_path / PROGRAM), *words[2:]],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == output
    typical = next(vector for vector in VECTORS["opened"] if vector["name"] == "typical")
    assert (FOLDER / "secrets").read_bytes().hex() == typical["file"]
    assert parse_master_key("KEY", (FOLDER / "key").read_bytes()).hex() == typical["master_keys"][0]


def test_python_on_pages_is_run() -> None:
    """A program on another page would not be tried."""
    assert {page for page in PAGES for block in blocks(page) if block.kind == "python"} == {PAGE}
