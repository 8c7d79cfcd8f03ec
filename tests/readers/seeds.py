"""What the inputs of the readers begin as: the data of the other tests, and small samples of each form."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mailpolicy.export.stamp import stamped
from tests.helpers import EXAMPLE, MINIMAL, TESTS
from tests.readers import notes as written
from tests.review.logs import PREFIXED

CASE = """\
[[case]]
name = "POP from outside"
address = "alice@example.com"
protocol = "pop"
ip = ["203.0.113.9", "10.0.0.0/8"]
expect = "deny"
reason = "outside-lan"
at = 2026-12-01T12:00:00+01:00
"""
HOST = """\
keyring_backend = "mailpolicy.sealed.Keyring"
secrets_file = "/var/lib/mailpolicy/secrets"
cases = "/etc/mailpolicy/cases.toml"
journal = true

[tokens.microsoft]
command = ["/usr/local/bin/oauth-token", "{login}"]
hosts = ["outlook.office365.com"]

[exports.dovecot]
target = "dovecot"
path = "/etc/mailpolicy/dovecot/mailpolicy.passwd"
mode = "0640"
owner = "root:root"
reload = ["doveadm", "reload"]

[exports.snippet]
target = "dovecot-conf"
path = "/etc/dovecot/conf.d/00-mailpolicy.conf"
data = "/etc/mailpolicy/dovecot/mailpolicy.passwd"
dovecot = "2.4"
"""


def stores() -> Iterator[bytes]:
    """Yield stores, good and bad."""
    for folder, pattern in (("invalid", "*.toml"), ("advice", "*.toml"), ("edits", "*/before.toml")):
        for path in sorted((TESTS / folder).glob(pattern)):
            yield path.read_bytes()
    yield EXAMPLE.read_bytes()
    yield MINIMAL.encode()


def host_configs() -> Iterator[bytes]:
    """Yield files host.toml."""
    yield HOST.encode()
    for table in HOST.split("\n\n"):
        yield table.encode()
    yield b'[exports.map]\ntarget = "postfix-sasl-passwd"\npath = "/etc/postfix/sasl"\npostmap = "lmdb"\n'
    yield b'[exports.sql]\ntarget = "sql"\npath = "/x"\ndialect = "sqlite"\n[exports.old]\ntarget = "dovecot"\nlock = true\n'


def cases() -> Iterator[bytes]:
    """Yield files of cases."""
    yield CASE.encode()
    yield b'[[case]]\naddress = "bob@example.com"\nprotocol = "multipop"\nexpect = "allow"\n'
    yield b'case = [{ address = "Bob@example.com", protocol = "imaps", ip = "::1", expect = "deny", at = 2026-12-31 }]\n'


def plans() -> Iterator[bytes]:
    """Yield plans in all forms."""
    yield b"address,pop,imap,template,expires,extra_lan\nalice@example.com,on,off,field,2026-12-31,branch\n"
    yield b'address,smart_host_login\r\n"carol@example.com","a ""quoted"" one"\r\nbob@example.com,inherit\r\n'
    table = {"address": "alice@example.com", "pop": True, "template": None, "expires": "2026-12-31T12:00:00Z"}
    nested = {
        "address": "carol@example.com",
        "temporary": {"until": "2026-12-04", "pop": True, "extra_lan": ["branch"]},
        "sources": {"old": {"host": "pop.example", "login": "x", "port": 995, "tls": "none", "auth": "xoauth2"}},
    }
    yield f"{json.dumps(table)}\n{json.dumps(nested)}\n".encode()
    yield MINIMAL[: MINIMAL.index("[server]")].encode() + MINIMAL[MINIMAL.index("[accounts") :].encode()
    yield b'[accounts."a@x.example"]\nexpires = 2026-12-31\n[accounts."a@x.example".sources.x]\nhost = "h"\nlogin = "l"\n'


def imports() -> Iterator[bytes]:
    """Yield files of MDaemon, and lists of networks."""
    for path in sorted((TESTS / "mdaemon").iterdir()):
        yield path.read_bytes()
    yield "\ufeffMailBox,Domain,EnableMultiPOP\nann,x.example,y\n".encode("utf-16")
    yield b"<User><Details><Mailbox>a</Mailbox><Domain>x</Domain><Frozen>Yes</Frozen></Details></User>"
    entries = "10/8 192.168. 192.168.1.10-20 [::1]/128 10.0.0.0/255.0.0.0 1:2:* 010.0.0.0/8 fe80::1%eth0 10.*.1.* ::/0"
    yield "\n".join(entries.split()).encode()


def logins() -> Iterator[bytes]:
    """Yield lists of logins and passwords."""
    yield b'{"address": "alice@example.com", "login": "alice", "password": "s3cret"}\n'
    yield b'{"address": "bob@example.com", "password": "s3cret"}\n{"address": "Carol@x", "login": " ", "password": 1}\n'


def logs() -> Iterator[bytes]:
    """Yield the lines of logs."""
    yield from (f"{line}\n".encode() for line in PREFIXED)
    yield b"alice@example.com pop 10.0.0.1\nBOB@example.com\timap4\t::ffff:203.0.113.9\t2026-11-25 18:00:00\n# comment\n"
    yield b'{"address": "alice@example.com", "protocol": "smtp", "ip": "10.0.0.1", "time": 1764090000}\n'
    yield json.dumps({"log": PREFIXED[0], "time": "2026-11-25T18:00:00Z"}).encode()
    yield json.dumps({"MESSAGE": list(PREFIXED[0].encode()), "__REALTIME_TIMESTAMP": "1764090000000000"}).encode()
    sent = "client=pc.example[203.0.113.9], sasl_method=PLAIN, sasl_username=alice"
    yield f"Nov 25 18:00:00 mx postfix/submission/smtpd[7]: 4XYZ: {sent}\n".encode()


def batches() -> Iterator[bytes]:
    """Yield questions."""
    yield b"alice@example.com pop 203.0.113.9\nbob@example.com\tmultipop\n# comment\n\ncarol@example.com imap 010.0.0.1\n"
    yield "ann@\u00fcber.example imaps fe80::1%eth0\r\nmailto:x webmail ::\x0b1\na:x:1:2:\nb;c\n".encode()


def notes() -> Iterator[bytes]:
    """Yield markers, notes of deploy, and deployed files."""
    yield b"smart-host/alice@example.com/smtp.relay.example:587\nmultipop/bob@example.com/old\n"
    yield b"2026-11-27T12:00:00Z\nalice@example.com 2026-11-26T23:00:00Z\n"
    yield f"{'0' * 16} 17\n".encode()
    yield stamped("dovecot", written.BODY)
    yield b"# services: imap\n# no longer covered since 2026-11-27T12:00:00Z: pop3 sieve\npop3/a@x.example:x::::::allow_nets=::1,local\n"
    yield written.SNIPPET.encode()
    yield b"protocol imap {\n  passdb mailpolicy {\n    fields {\n      nopassword = yes\n    }\n  }\n}\npassdb_deny = yes\n"
