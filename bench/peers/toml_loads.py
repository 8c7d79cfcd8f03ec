"""`tomli.loads` of a text in memory, the garbage collector as it is: the median of several in a fresh process."""

import json
import sys
from statistics import median
from time import perf_counter

import tomli


def main(store: str, times: int = 5) -> None:
    with open(store, encoding="utf-8") as file:
        text = file.read()
    taken = []
    for _ in range(times):
        begin = perf_counter()
        tree = tomli.loads(text)
        taken.append(perf_counter() - begin)
        del tree
    json.dump({"seconds": median(taken), "first": taken[0]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
