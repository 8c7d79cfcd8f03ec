"""The plain way to edit and keep comments: parse the whole document with tomlkit, set one key, write it back."""

import sys

import tomlkit


def main(store: str, address: str, value: str) -> None:
    with open(store, encoding="utf-8", newline="") as file:
        document = tomlkit.parse(file.read())
    document["accounts"][address]["pop"] = value == "on"
    with open(store, "w", encoding="utf-8", newline="") as file:
        file.write(tomlkit.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
