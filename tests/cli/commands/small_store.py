"""A store of four accounts in three domains."""

from __future__ import annotations

from pathlib import Path

STORE = """\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true

[defaults]
imap = true

[templates.office]
pop = true

[accounts."a@x.example"]
template = "office"

[accounts."b@x.example"]
template = "office"
pop = false

[accounts."c@sub.x.example"]

[accounts."d@y.example"]
imap = false
"""


def written(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text(STORE)
    return path
