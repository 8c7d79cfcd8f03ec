"""Write the generated pages (docs/commands.md, file-format.md, rules.md, the manual pages, the record in reliability.md), the JSON
Schema and the tree of commands.

With --check write nothing, and fail if a page is not up to date.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import command_tree
import faults
import json_schema
import manual

from mailpolicy.cli.app import COMMANDS, root
from mailpolicy.cli.context import OPTIONS
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.render import explanation
from mailpolicy.store import tables

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "mailpolicy"
NOTE = "<!-- written by `make docs`; edit the code instead -->\n\n"


def commands() -> str:
    """Return the help of every command."""
    command = root()
    pages = [f"# Commands\n\n{NOTE}## mailpolicy\n\n{_help(command, 'mailpolicy')}"]
    for name in COMMANDS:
        group = command.get_command(None, name)
        pages.append(f"## mailpolicy {name}\n\n{_help(group, f'mailpolicy {name}')}")
        pages += _verbs(group, f"mailpolicy {name}")
    return "\n".join(pages)


def _verbs(group: Any, above: str) -> list[str]:
    pages = []
    for verb, inner in sorted(getattr(group, "commands", {}).items()):
        if not inner.hidden:
            title = f"{above} {verb}"
            pages += [f"### {title}\n\n{_help(inner, title)}", *_verbs(inner, title)]
    return pages


def _help(command: Any, title: str) -> str:
    context = command.make_context(
        title, [], resilient_parsing=True, max_content_width=100, terminal_width=100, help_option_names=["-h", "--help"]
    )
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def file_format() -> str:
    """Return the keys of a store, table by table."""
    lines = [f"# The keys of accounts.toml\n\n{NOTE}[policy.md](policy.md) explains what the settings do.\n"]
    lines.append("`mailpolicy schema` prints the same keys as a JSON Schema, for editors.\n")
    groups: dict[int, tuple[list[str], Any]] = {}
    for path, (table, _) in tables.TABLES.items():
        header = ".".join(f'"{part}"' if part == "ADDRESS" else part for part in path)
        groups.setdefault(id(table), ([], table))[0].append(f"`[{header}]`" if header else "The top of the file")
    for titles, table in groups.values():
        lines.append(f"## {' and '.join(titles)}\n\n| key | type | meaning |\n| --- | --- | --- |")
        lines += (f"| `{key}` | {tables.type_title(kind)} | {meaning} |" for key, (kind, meaning) in table.items())
        lines.append("")
    lines.append(
        "## `host.toml`\n\nThese keys describe one machine and belong in `host.toml`; in `accounts.toml` they are errors.\n"
    )
    lines.append("| key | meaning |\n| --- | --- |")
    lines += (f"| `{key}` | {meaning} |" for key, meaning in tables.HOST_KEYS.items())
    lines.append("")
    return "\n".join(lines)


def rules() -> str:
    """Return every code of `validate`, with the text of `explain`."""
    lines = [
        f"# Rules\n\n{NOTE}The findings of `mailpolicy validate`. `mailpolicy explain CODE` prints the same text. Errors cannot be",
        "suppressed. Warnings and hints can: on their line with `# mailpolicy: allow CODE and why`, or for a whole run with",
        "`--ignore CODE`.\n",
        "| code | severity | finding | fix |\n| --- | --- | --- | --- |",
    ]
    lines += (
        f"| [{code}](#{code.lower()}) | {rule.severity} | {rule.name} | {rule.fix} |" for code, rule in RULES.items()
    )
    sections = (
        f"\n## {code}\n\n**{rule.name}** ({rule.severity})\n\n{explanation.markdown(code, rule)}"
        for code, rule in RULES.items()
    )
    return "\n".join(lines) + "\n" + "".join(sections)


def main(check: bool) -> int:
    """Write the pages, or compare them; return the exit status."""
    assert OPTIONS, "the options are part of the root's help page"
    status = 0
    made = {
        DOCS / "commands.md": commands(),
        DOCS / "file-format.md": file_format(),
        DOCS / "rules.md": rules(),
        DOCS / "reliability.md": faults.page((DOCS / "reliability.md").read_text(encoding="utf-8")),
        PACKAGE / "cli" / "commands.json": command_tree.text(),
        PACKAGE / "store" / "accounts.schema.json": json_schema.text(),
        **{DOCS / "man" / name: text for name, text in manual.pages().items()},
    }
    for page, text in made.items():
        name = page.relative_to(DOCS.parent)
        old = page.read_text(encoding="utf-8") if page.exists() else ""
        if old == text:
            continue
        if check:
            status = 1
            print(f"{name} is not what the code says, run `make docs`:", file=sys.stderr)
            sys.stderr.writelines(
                difflib.unified_diff(old.splitlines(True), text.splitlines(True), f"{name}", "the code")
            )
        else:
            page.write_text(text, encoding="utf-8")
            print(f"{name} written")
    return status


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
