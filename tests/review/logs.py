"""What programs write before a login, and the policy that logins are replayed under."""

from __future__ import annotations

import json

from mailpolicy.store.store import Store
from tests.helpers import MINIMAL

ALICE = "user=<alice@example.com>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.1, mpid=77, TLS, session=<kJ/2wAAAAAA>"
SYSLOG, ISO = "Nov 25 18:00:00", "2026-11-25T18:00:00.123456+01:00"
WORDS, OWN = f"imap-login: Login: {ALICE}", f"imap-login: Info: Login: {ALICE}"
# Prefixes that syslogs, journals and containers put before Dovecot's words or before Dovecot's own log.
PREFIXED = [
    f"{SYSLOG} mx1 mail.info dovecot: {WORDS}",
    f"Wed {SYSLOG} 2026 mail.info dovecot[12]: {WORDS}",
    f"{SYSLOG} <mail.info> mx1 dovecot[12]: {WORDS}",
    f"{SYSLOG} <2.6> mx1 dovecot[12]: {WORDS}",
    f"{SYSLOG} mx1 mail:info dovecot[12]: {WORDS}",
    f"{SYSLOG} mx1 dovecot[123]: [ID 583609 mail.info] {WORDS}",
    f"{SYSLOG} mx1 dovecot[1] <Notice>: {WORDS}",
    f"{SYSLOG} Max dovecot: {WORDS}",
    f"{SYSLOG} fe80::1 dovecot: {WORDS}",
    f"{SYSLOG} [10.0.0.1] dovecot: {WORDS}",
    f"{SYSLOG} {SYSLOG} mx1 dovecot: {WORDS}",
    f"{SYSLOG} mx1 5f4dcc3b2a1e[991]: {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 mailserver[991]: {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 docker/mail[1]: {SYSLOG} mail dovecot: {WORDS}",
    f"{SYSLOG} mx1 docker/NAME[1]: {OWN}",
    f"docker/NAME[1]: {WORDS}",
    json.dumps({"MESSAGE": OWN, "SYSLOG_IDENTIFIER": "mailserver", "CONTAINER_ID": "0123456789ab"}),
    f"docker/NAME[1]: dovecot: {WORDS}",
    f"mail.1.abcd@node1    | {SYSLOG} {OWN}",
    f"2026-11-25T18:00:00.123456789Z stdout F {SYSLOG} {OWN}",
    f"2026-11-25T18:00:00.123456789+01:00 stderr P {OWN}",
    f"2026-11-25T18:00:00.123456789Z stdout F {SYSLOG} mx1 dovecot[1]: {WORDS}",
    f"[pod/mail-0/dovecot] {ISO} {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 dovecot/imap-login[1]: {WORDS}",
    f"{SYSLOG} mx1 dovecot/imap-login[1]: Login: {ALICE}",
    f"{SYSLOG} mx1 imap-login[1]: Login: {ALICE}",
    f"1764090000.123456 mx1 dovecot[7]: {WORDS}",
    f"[12345.678901] mx1 dovecot[7]: {WORDS}",
    f"MESSAGE={WORDS}",
    f"    MESSAGE={WORDS}",
    f"/var/log/mail.log:{SYSLOG} mx1 dovecot: {WORDS}",
    f"mail.log.1:17:{ISO} mx1 dovecot: {WORDS}",
    f"17:{SYSLOG} mx1 dovecot: {WORDS}",
    f"2026/11/25 18:00:00 {OWN}",
    f"[2026-11-25 18:00:00] {OWN}",
    f"25/Nov/2026:18:00:00 +0100 {OWN}",
    f"25.11.2026 18:00:00 {OWN}",
    f"2026 {SYSLOG} mx1 dovecot: {WORDS}",
    f"Nov 25 2026 18:00:00: mx1 dovecot: {WORDS}",
    f"dovecot: {SYSLOG} Info: {WORDS}",
    f"2026-11-25 18:00:00 MAIL01 dovecot: {WORDS}",
    f"<22>1 {ISO} mx1 dovecot - - - \ufeff{WORDS}",
    f'<22>1 {ISO} mx1 dovecot 12 ID47 [a b="x\\]"][c d=""] {WORDS}',
    json.dumps({"MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "dovecot", "__REALTIME_TIMESTAMP": "1764090000123456"}),
    json.dumps({"MESSAGE": list(WORDS.encode()), "SYSLOG_IDENTIFIER": "dovecot"}),
    json.dumps({"MESSAGE": f"{SYSLOG} {OWN}", "SYSLOG_IDENTIFIER": "5f4dcc3b2a1e"}),
    f"data: {json.dumps({'MESSAGE': WORDS})}",
    json.dumps({"log": f"{SYSLOG} {OWN}\n", "stream": "stdout", "time": "2026-11-25T18:00:00Z"}),
    json.dumps({"log": f"{SYSLOG} mx1 dovecot: {WORDS}\n"}),
]
POLICY = Store("accounts.toml", MINIMAL.encode()).policy()
