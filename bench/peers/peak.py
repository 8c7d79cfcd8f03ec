"""Not a peer: runs a command and tells its status and the bytes of memory that it had at its largest.

A process is charged for what its parent had when it was started, so the parent must be smaller than what it measures.
"""

import os
import sys


def main(command: list[str]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (0, 1, 2)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, ended, usage = os.wait4(child, 0)
    size = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f'{{"status": {os.waitstatus_to_exitcode(ended)}, "bytes": {size}}}')


if __name__ == "__main__":
    main(sys.argv[1:])
