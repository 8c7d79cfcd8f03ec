"""A machine on which no keyring is named."""

from __future__ import annotations

import os

import pytest

from tests.machine import ALICE

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is not steered by these")
SET = ("smart-host", "set", ALICE, "--login", "ours", "--password-stdin")
