"""Table: the inputs that are worst for each regular expression, long enough that anything but linear time would hang.

`python -m tests.readers.worst READER` reads those of a reader, and names each before it reads it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

from mailpolicy.policy.names import MAX_LINE_BYTES
from tests.readers import READERS, printed
from tests.readers.shapes import HEAD

MANY = 120_000  # characters, as many as a cell of CSV may have: quadratic, that would be 10^10 steps
_LINE_BYTES = MAX_LINE_BYTES - 200
_LINES = 3  # as long as a line may be
SECONDS = 3.0  # of the processor, for one input; linear ones take a tenth of one

# What may stand over and over in a line of a log, before or inside what a server writes.
_LOG_PIECES = (
    *(
        "a",
        "a/",
        "a.",
        "0",
        "0a",
        " ",
        "\t",
        "[",
        "]",
        "(",
        ")",
        "<",
        ">",
        "<22>",
        "[1]",
        "a: ",
        "a[1]: ",
        "a|",
        "a | ",
    ),
    *("Nov 25 18:00:00 ", "2026-11-25T18:00:00 ", "1764090000 ", "[1.1] ", "<mail.info> ", "mail.info ", "[ID 1 a.b] "),
    *("stdout F ", "docker/a[1]: ", "[pod/a/b] ", "MESSAGE=", "1:", "a:1:", "x=1 ", '[x y="', "\\]", "- ", "\ufeff"),
    *("imap-login: ", "imap/", "dovecot: ", "message repeated 2 times: [ ", "user=<a> ", "rip=1 ", "Login: ", "Info: "),
    *(
        "smtpd[1]: ",
        "client=a[",
        "sasl_username=",
        ", ",
        "4XYZ: ",
        "A",
        "{",
        '{"a":',
        "a@b ",
        "@",
        "=",
        "\x00",
        "0123456789ab",
    ),
)
_LOG_ENDS = (
    " imap-login: Login: user=<alice@example.com>, rip=10.0.0.1",
    "imap-login: Login user=<a rip=1 Login: ",
    " mx postfix/smtpd[1]: 4XYZ: client=a[10.0.0.1], sasl_method=PLAIN, sasl_username=alice",
    " -login: sasl_username=",
    "",
)
# What may stand over and over where a statement, a key, a header, a value or a comment is.
_TOML_PIECES = (
    *(
        "a",
        "a.",
        ".",
        '"',
        "'",
        '"""',
        "'''",
        "[",
        "]",
        "[]",
        "{",
        "}",
        "=",
        "==",
        ":",
        "::",
        ",",
        "#",
        "\\",
        "\\u0041",
    ),
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        " \n",
        "\u00a0",
        "\u200b",
        "\u201c",
        "\0",
        "\x01",
        "1",
        "1.",
        "1:",
        "a@",
        "@",
        "-",
        "0_",
    ),
    *(
        ".sources.x",
        "<<<<<<< ",
        "=======\n",
        "a = 1 ",
        "a b ",
        "true",
        '"a" ',
        "'a', ",
        "//",
        ";",
        "{a=",
        "[[",
        "]]",
        "]x",
        " ]",
    ),
)
_TOML_PLACES = ("{}", "[{}", "[{}x", "a = {}", "a = {}x", 'a = "{}', "a = [{}", "a@{} = 1", "# {}")
_COMMENTS = ("# mailpolicy: allow MP031", "# mailpolicy:", "# mailpolicy: allow", "# ")
_COMMENT_PIECES = (" ", ",", " , ", ", MP031", "mailpolicy: allow ", "\t", "MP031")
_FIELD_PIECES = (
    *(
        "a",
        "a.",
        ".",
        "a-",
        "-",
        "@",
        "a@",
        "1",
        "1.",
        "1:",
        ":",
        "0",
        "0.",
        "*.",
        "*",
        "[",
        "]",
        "/",
        "%",
        "1-",
        "1,",
        " ",
        ",",
    ),
    *(
        "\u00fc",
        "xn--",
        "'",
        '"',
        "\\",
        "\x1b",
        "\u202e",
        "255.",
        "x.",
        "1:*",
        "00/",
        ";",
        "a:",
        "<",
        "&amp;",
        "<a>",
        "<?xml ",
        "<?xml ?",
    ),
)


def _statements() -> Iterator[str]:
    for piece in _TOML_PIECES:
        for place in _TOML_PLACES:
            yield HEAD + place.replace("{}", piece * (MANY // 2 // len(piece))) + "\n"
    for piece in _COMMENT_PIECES:
        for comment in _COMMENTS:
            yield f"{HEAD}[defaults]\npop = true {comment}{piece * (MANY // len(piece))}\n"


def _fields(form: str) -> Iterator[str]:
    for piece in _FIELD_PIECES:
        field = piece * (MANY // len(piece))
        yield form.replace("{}", field)
        yield form.replace("{}", f"{field}x")


def _imports() -> Iterator[str]:
    yield from _fields("{}\n")
    yield from ("<?xml " * 200_000, f"<?xml {'?' * 1_000_000}", f"<User>{'&amp;' * 200_000}</User>")


def _log() -> Iterator[str]:
    for piece in _LOG_PIECES:
        for end in _LOG_ENDS:
            yield f"{piece * (_LINE_BYTES // len(piece))}{end}\n" * (_LINES if end else 1)


def _batch() -> Iterator[str]:
    for piece in _FIELD_PIECES:
        for form in ("{}", "a@x.example pop {}", "{} pop 10.0.0.1", "a@x.example {} 10.0.0.1"):
            yield form.replace("{}", piece * (_LINE_BYTES // len(piece))) + "\n"


def _notes() -> Iterator[str]:
    for piece in (
        *_FIELD_PIECES,
        "\n",
        "# services: imap ",
        "imap ",
        " since ",
        "::::::",
        "\\:",
        "a{\n",
        "}\n",
        "a = b\n",
    ):
        for begin in ("", "# services: ", "# no longer covered since ", "imap/", "# made by mailpolicy export "):
            yield f"{begin}{piece * (20_000 // len(piece))}\n"


WORST = {
    "store": _statements,
    "plan": lambda: _fields('address,smart_host_login,extra_lan\n{},"{}",{}\n'),
    "import": _imports,
    "logins": lambda: _fields('{"address": "{}"}\n'),
    "cases": lambda: _fields("[[case]]\naddress = '''{}'''\nprotocol = '''{}'''\nip = '''{}'''\nexpect = 'deny'\n"),
    "host": lambda: _fields("[tokens.x]\nhosts = ['''{}''']\ncommand = ['/x', '''{}''']\n"),
    "log": _log,
    "batch": _batch,
    "notes": _notes,
}


def main(reader: str) -> None:
    """Read every input of a reader; print the beginning of each first. One that takes too long ends the process."""
    for number, text in enumerate(WORST[reader]()):
        print(number, ascii(text[:80]), "...", ascii(text[-40:]), flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        printed(READERS[reader].read, text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
