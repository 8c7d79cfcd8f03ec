"""Hypothesis strategies: the text of stores in every style that people write."""

from __future__ import annotations

from hypothesis import strategies as st

COMMENT = st.sampled_from(
    ["# note", "#", '# [accounts."x@y"]', "# \"quoted\" = 'text'", "  # indented", "# mailpolicy: allow MP031"]
)
KEYS = ("pop", "pop_lan_only", "imap", "imap_lan_only", "multipop", "outlook_connector")


@st.composite
def pair(draw: st.DrawFn, key: str) -> str:
    indent = draw(st.sampled_from(["", "", "  ", "\t"]))
    equals = draw(st.sampled_from([" = ", "=", "  =  ", "\t=\t"]))
    comment = draw(st.sampled_from(["", "", "  # why", " # 'x' \"y\""]))
    return f"{indent}{key}{equals}{draw(st.sampled_from(['true', 'false']))}{comment}"


@st.composite
def account(draw: st.DrawFn, address: str) -> list[str]:
    lines: list[str] = []
    lines += draw(st.lists(COMMENT, max_size=2))
    header = draw(
        st.sampled_from(
            ['[accounts."{}"]', '[ accounts . "{}" ]', "[accounts.'{}']", '  [accounts."{}"]', '[accounts."{}"] # who']
        )
    )
    spelled = draw(st.sampled_from([address, address.capitalize()]))
    lines.append(header.format(spelled))
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=4)):
        lines += draw(st.lists(st.one_of(COMMENT, st.just("")), max_size=1))
        lines.append(draw(pair(key)))
    lines += draw(st.lists(COMMENT, max_size=1))
    return lines


@st.composite
def store_text(draw: st.DrawFn) -> str:
    lines = draw(st.lists(COMMENT, max_size=1)) + ["version = 1"] + [""] * draw(st.integers(0, 2))
    lines += ["[server]", 'edition = "pro"', "outlook_connector_installed = true", "multipop = true"]
    lines += draw(
        st.sampled_from(
            [['lan = ["10.0.0.0/8"]'], ["lan = [", '  "10.0.0.0/8", # ten', "  # and", '  "fd00::/8"', "] # end"]]
        )
    )
    for address in draw(st.permutations(["ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example"])):
        lines += [""] * draw(st.integers(0, 2))
        if draw(st.booleans()):
            lines += [draw(COMMENT)] + [""] * draw(st.integers(1, 2))
        lines += draw(account(address))
    lines += [""] * draw(st.integers(0, 2))
    lines += draw(st.lists(COMMENT, max_size=1))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return bom + newline.join(lines) + newline * draw(st.integers(0, 1))


ADDRESS = st.sampled_from(["ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example"])
