"""Words that people try for a command, and those of ours that they may mean."""

from __future__ import annotations

# Verbs of other programs, and ours that may be meant, in order of preference.
VERBS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("create", "new", "insert", "append", "make"), ("add",)),
    **dict.fromkeys(("delete", "del", "rm", "drop", "erase"), ("remove", "clear")),
    **dict.fromkeys(("unsuspend", "unlock", "unblock", "reactivate", "activate", "restore"), ("resume",)),
    **dict.fromkeys(("lock", "block", "deactivate", "ban"), ("suspend",)),
    **dict.fromkeys(("enable", "allow", "start", "yes", "true"), ("on", "resume")),
    **dict.fromkeys(("disable", "deny", "stop", "no", "false"), ("off", "suspend")),
    **dict.fromkeys(("lan_only", "lanonly", "lan", "local", "restrict", "internal"), ("lan-only",)),
    **dict.fromkeys(("everywhere", "any", "world", "unrestrict", "external"), ("anywhere",)),
    **dict.fromkeys(("unset", "default", "unpin"), ("inherit",)),
    **dict.fromkeys(("mv", "move"), ("rename",)),
    **dict.fromkeys(("cp", "clone", "duplicate"), ("copy",)),
    **dict.fromkeys(("dump", "backup"), ("export",)),
    **dict.fromkeys(("ls", "all"), ("list", "show")),
    **dict.fromkeys(("get", "info", "view", "display", "cat", "print"), ("show", "list")),
    **dict.fromkeys(("add", "update", "change", "modify"), ("set",)),
    **dict.fromkeys(("remove",), ("clear", "unassign", "end")),
    **dict.fromkeys(("apply", "use", "give", "grant", "attach"), ("assign",)),
    **dict.fromkeys(("take", "revoke", "detach"), ("unassign",)),
}


NOUNS: dict[str, str] = {
    **dict.fromkeys(("accounts", "user", "users", "mailbox", "mailboxes"), "account"),
    **dict.fromkeys(("pop3", "pop3s"), "pop"),
    **dict.fromkeys(("imap4", "imaps"), "imap"),
    **dict.fromkeys(("connector", "outlook"), "outlook-connector"),
    **dict.fromkeys(("submission", "smtps", "send", "sending"), "smtp"),
    **dict.fromkeys(("managesieve", "filter", "filters"), "sieve"),
    **dict.fromkeys(("smarthost", "relay", "relayhost", "smart_host"), "smart-host"),
    **dict.fromkeys(("templates", "group", "groups"), "template"),
    **dict.fromkeys(("exception", "exceptions", "temp"), "temporary"),
    **dict.fromkeys(("networks", "net", "nets", "subnet", "subnets", "extra-lan", "extra_lan"), "network"),
    **dict.fromkeys(("keyring", "secret", "password", "passwords"), "secrets"),
    **dict.fromkeys(("lint", "verify"), "validate"),
    **dict.fromkeys(("visudo", "vi", "vim", "nano", "editor"), "edit"),
    **dict.fromkeys(("history", "journal", "audit", "blame"), "log"),
    **dict.fromkeys(("revert", "rollback", "redo"), "undo"),
    **dict.fromkeys(("domains",), "domain"),
    **dict.fromkeys(("load", "provision", "sync", "bulk", "csv"), "apply"),
    **dict.fromkeys(("migrate", "mdaemon"), "import"),
    **dict.fromkeys(("can", "may", "ask", "why"), "check"),
}
