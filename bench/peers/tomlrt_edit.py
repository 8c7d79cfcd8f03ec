"""The same edit with tomlrt, a faster editor that keeps comments: parse the whole document, set one key, write it back."""

import sys

import tomlrt


def main(store: str, address: str, value: str) -> None:
    with open(store, encoding="utf-8", newline="") as file:
        document = tomlrt.loads(file.read())
    document["accounts"][address]["pop"] = value == "on"
    with open(store, "w", encoding="utf-8", newline="") as file:
        file.write(tomlrt.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
