"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailpolicy.sealed.file import SecretsFile
from tests.sealed.samples import SECRETS, SERVICE
from tests.sealing import sealed_file


@pytest.fixture
def filled(tmp_path: Path) -> SecretsFile:
    """A sealed file with three secrets."""
    file = sealed_file(tmp_path)
    file.change(SERVICE, SECRETS)
    return file
