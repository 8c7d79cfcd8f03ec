"""The bare loop: `ipaddress.ip_address` of every question's IP, already split off and in memory."""

import json
import sys
from ipaddress import ip_address
from time import perf_counter


def main(questions: str) -> None:
    with open(questions, encoding="utf-8") as file:
        ips = [line.split()[2] for line in file]
    begin = perf_counter()
    for ip in ips:
        ip_address(ip)
    json.dump({"seconds": perf_counter() - begin}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
