"""Examples for the help page and the manual page of each command; a test runs every line."""

from __future__ import annotations

from mailpolicy.policy.service import BY_NAME

_SERVICE = {
    "on": """
        mailpolicy {0} on alice@example.com
        mailpolicy {0} on --domain example.com --dry-run
        """,
    "off": """
        mailpolicy {0} off alice@example.com bob@example.com
        mailpolicy {0} off alice@example.com --until +3d
        mailpolicy {0} off --in-defaults
        """,
    "lan-only": """
        mailpolicy {0} lan-only alice@example.com
        mailpolicy {0} lan-only --with-template staff
        """,
    "anywhere": """
        mailpolicy {0} anywhere alice@example.com
        mailpolicy {0} anywhere --in-template staff
        """,
    "inherit": """
        mailpolicy {0} inherit alice@example.com
        mailpolicy {0} inherit - < addresses.txt
        """,
}
_CONFINED_ON = """
        mailpolicy {0} on alice@example.com
        mailpolicy {0} on alice@example.com --lan-only
        mailpolicy {0} on --domain example.com --dry-run
        """

# By the command's name, "" for the program itself.
_TEXTS: dict[str, str] = {
    "": """
        mailpolicy check alice@example.com pop 203.0.113.9
        mailpolicy pop lan-only alice@example.com
        """,
    "init": """
        mailpolicy init
        mailpolicy --file accounts.toml init --dry-run
        """,
    "account": """
        mailpolicy account add alice@example.com --pop lan-only
        mailpolicy account list
        """,
    "account add": """
        mailpolicy account add carol@example.com --pop lan-only --imap on
        mailpolicy account add dave@example.com erin@example.com --template staff
        mailpolicy account add - --template staff < addresses.txt
        """,
    "account remove": """
        mailpolicy account remove bob@example.com
        mailpolicy account remove bob@example.com --if-exists --yes
        """,
    "account rename": """
        mailpolicy account rename bob@example.com robert@example.com
        """,
    "account list": """
        mailpolicy account list
        mailpolicy account list --domain example.com
        mailpolicy account list --json | jq -r .address
        """,
    "account show": """
        mailpolicy account show alice@example.com
        """,
    "account suspend": """
        mailpolicy account suspend alice@example.com
        mailpolicy account suspend --with-template staff --dry-run
        """,
    "account expire": """
        mailpolicy account expire alice@example.com --last-day 2099-12-31
        mailpolicy account expire bob@example.com --at 2099-12-31T18:00:00+01:00
        mailpolicy account expire alice@example.com --never
        """,
    "temporary": """
        mailpolicy temporary list
        mailpolicy temporary end alice@example.com
        """,
    "temporary list": """
        mailpolicy temporary list
        mailpolicy temporary list --over
        """,
    "temporary end": """
        mailpolicy temporary end alice@example.com
        mailpolicy temporary end --over
        """,
    "account resume": """
        mailpolicy account resume alice@example.com
        """,
    "multipop source": """
        mailpolicy multipop source list bob@example.com
        """,
    "multipop source add": """
        mailpolicy multipop source add bob@example.com gmx \\
            --host pop.gmx.example --login bob7
        """,
    "multipop source set": """
        mailpolicy multipop source set bob@example.com isp --delete-after-days 14
        mailpolicy multipop source set bob@example.com isp --tls starttls --yes
        """,
    "multipop source remove": """
        mailpolicy multipop source remove bob@example.com isp
        """,
    "multipop source list": """
        mailpolicy multipop source list
        mailpolicy multipop source list bob@example.com
        """,
    "multipop source set-password": """
        mailpolicy multipop source set-password bob@example.com isp \\
            --password-file password.txt
        """,
    "multipop source print-password": """
        mailpolicy multipop source print-password bob@example.com isp | wc -c
        """,
    "smart-host": """
        mailpolicy smart-host set alice@example.com --login alice.relay
        mailpolicy smart-host show alice@example.com
        """,
    "smart-host set": """
        mailpolicy smart-host set alice@example.com --login alice.relay
        mailpolicy smart-host set alice@example.com --password-file password.txt
        mailpolicy smart-host set --server --port 465 --yes
        """,
    "smart-host clear": """
        mailpolicy smart-host clear alice@example.com
        """,
    "smart-host show": """
        mailpolicy smart-host show alice@example.com
        mailpolicy smart-host show --server
        """,
    "server": """
        mailpolicy server show
        mailpolicy server set edition pro
        """,
    "server show": """
        mailpolicy server show
        """,
    "server govern": """
        mailpolicy server govern smtp --dry-run
        """,
    "server ungovern": """
        mailpolicy server ungovern sieve
        """,
    "server set": """
        mailpolicy server set edition pro
        mailpolicy server set multipop on
        """,
    "lan": """
        mailpolicy lan list
        mailpolicy lan add 192.168.7.0/24
        """,
    "lan list": """
        mailpolicy lan list
        """,
    "lan add": """
        mailpolicy lan add 192.168.7.0/24 fd12:3456:789a::/48
        mailpolicy lan add 10.9.8.7 --dry-run
        """,
    "lan remove": """
        mailpolicy lan remove 10.0.0.0/8
        """,
    "lan reset": """
        mailpolicy lan reset --dry-run
        """,
    "network": """
        mailpolicy network add home 203.0.113.0/24
        mailpolicy network assign branch alice@example.com
        """,
    "network add": """
        mailpolicy network add home 203.0.113.0/24 2001:db8:7::/48
        mailpolicy network add branch 198.51.100.7
        """,
    "network remove": """
        mailpolicy network remove unused
        mailpolicy network remove branch 192.0.2.0/24
        """,
    "network rename": """
        mailpolicy network rename branch office
        """,
    "network list": """
        mailpolicy network list
        """,
    "network show": """
        mailpolicy network show branch
        """,
    "network assign": """
        mailpolicy network assign branch alice@example.com
        mailpolicy network assign branch alice@example.com --until +3d
        mailpolicy network assign branch --in-template staff
        """,
    "network unassign": """
        mailpolicy network unassign branch bob@example.com
        """,
    "template": """
        mailpolicy template add contractor
        mailpolicy template assign staff alice@example.com
        """,
    "template add": """
        mailpolicy template add contractor
        """,
    "template remove": """
        mailpolicy template remove unused
        """,
    "template rename": """
        mailpolicy template rename staff office
        """,
    "template list": """
        mailpolicy template list
        """,
    "template show": """
        mailpolicy template show staff
        """,
    "template assign": """
        mailpolicy template assign staff alice@example.com
        mailpolicy template assign staff --domain example.com
        """,
    "template unassign": """
        mailpolicy template unassign bob@example.com
        """,
    "check": """
        mailpolicy check alice@example.com pop 10.1.2.3
        mailpolicy check alice@example.com multipop
        mailpolicy check --batch questions.txt
        mailpolicy check alice@example.com imap 10.1.2.3 --quiet || echo denied
        """,
    "who": """
        mailpolicy who
        mailpolicy who pop
        mailpolicy who imap --from 203.0.113.0/24
        mailpolicy who imap --outside-lan
        """,
    "export": """
        mailpolicy export dovecot --output /etc/dovecot/mailpolicy
        mailpolicy export dovecot --output /etc/dovecot/mailpolicy --diff
        mailpolicy export dovecot-conf --data /etc/dovecot/mailpolicy
        """,
    "deploy": """
        mailpolicy deploy
        mailpolicy deploy --check
        """,
    "secrets": """
        mailpolicy secrets list
        mailpolicy secrets verify
        """,
    "secrets init": """
        mailpolicy secrets init --key-file /etc/mailpolicy/key --dry-run
        """,
    "secrets rotate": """
        mailpolicy secrets rotate
        """,
    "secrets list": """
        mailpolicy secrets list
        """,
    "secrets verify": """
        mailpolicy secrets verify
        """,
    "secrets move": """
        mailpolicy secrets move --dry-run \\
            --from keyring.backends.SecretService.Keyring \\
            --to mailpolicy.sealed.Keyring
        """,
    "secrets rebind": """
        mailpolicy secrets rebind --dry-run
        mailpolicy secrets rebind alice@example.com --yes
        """,
    "doctor": """
        mailpolicy doctor
        mailpolicy doctor --log /var/log/mail.log
        """,
    "validate": """
        mailpolicy validate
        mailpolicy validate --strict accounts.toml
        mailpolicy validate --format sarif > findings.sarif
        """,
    "schema": """
        mailpolicy schema > accounts.schema.json
        """,
    "explain": """
        mailpolicy explain MP012
        """,
    "test": """
        mailpolicy test cases.toml
        mailpolicy test cases.toml --format junit > report.xml
        """,
    "diff": """
        mailpolicy diff accounts.toml new.toml
        mailpolicy diff main --fail-on widened
        """,
    "replay": """
        mailpolicy replay /var/log/mail.log
        journalctl -u dovecot --since -7d | mailpolicy replay -
        """,
    "completion": """
        mailpolicy completion bash > /etc/bash_completion.d/mailpolicy
        mailpolicy completion zsh > /usr/local/share/zsh/site-functions/_mailpolicy
        mailpolicy completion fish > /etc/fish/completions/mailpolicy.fish
        """,
    "install": """
        mailpolicy install new.toml
        mailpolicy install new.toml --fail-on widened
        """,
    "edit": """
        mailpolicy edit
        VISUAL=nano mailpolicy edit
        """,
    "log": """
        mailpolicy log
        mailpolicy log alice@example.com --since 2026-11-01
        mailpolicy log --json | jq -r .command
        """,
    "undo": """
        mailpolicy undo --dry-run
        mailpolicy undo 4f2a91c07d
        """,
    "help": """
        mailpolicy help account add
        """,
    "version": """
        mailpolicy version
        """,
}


def of(command: str) -> list[str]:
    """Return the examples of a command, named without the program's own name; [] if there are none."""
    noun, _, verb = command.partition(" ")
    text = _TEXTS.get(command)
    if text is None and (service := BY_NAME.get(noun)) is not None:
        text = _CONFINED_ON if verb == "on" and service.own_lan_switch else _SERVICE.get(verb or "on", "")
    text = (text or "").format(noun)
    return [line[8:].rstrip() for line in text.split("\n") if line.strip()]
