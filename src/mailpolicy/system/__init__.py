"""Files, locks, markers beside a file, ownership checks, git and keyrings: the interface to the operating system."""
