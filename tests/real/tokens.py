"""A site that lets in by token: JSON web tokens which Dovecot verifies with a key of its own, without another server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from tests.real.dovecot import Dovecot

MECHANISMS = ("OAUTHBEARER", "XOAUTH2")
_KEY = b"the key that vouches for whoever logs in"
_SITES = {
    "2.3": """\
auth_mechanisms = plain oauthbearer xoauth2
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/oauth2.conf
}}
""",
    "2.4": """\
auth_mechanisms = plain oauthbearer xoauth2
oauth2 {{
  introspection_mode = local
  username_attribute = email
  oauth2_local_validation {{
    dict fs {{
      fs posix {{
        prefix = {folder}/keys/
      }}
    }}
  }}
}}
""",
}
_DATABASE = """\
introspection_mode = local
username_attribute = email
local_validation_key_dict = fs:posix:prefix={folder}/keys/
"""


def let_in_by_token(server: Dovecot) -> None:
    """Configure that; call it before the server starts."""
    key = server.folder / "keys" / "default" / "HS256" / "default"
    key.parent.mkdir(parents=True)
    key.write_bytes(base64.b64encode(_KEY))
    (server.folder / "oauth2.conf").write_text(_DATABASE.format(folder=server.folder), encoding="utf-8")
    site = _SITES[server.release.version].format(folder=server.folder)
    (server.folder / "conf.d" / "50-tokens.conf").write_text(site, encoding="utf-8")


def token(user: str, key: bytes = _KEY) -> str:
    """A token that says that its bearer is `user`."""
    now = int(time.time())
    claims = {"sub": user, "email": user, "iat": now - 10, "exp": now + 600}
    parts = [_part(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.digest(key, ".".join(parts).encode(), hashlib.sha256)
    return ".".join((*parts, _part(signature)))


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
