"""What stands between mailpolicy and the operating system: files, locks, notes beside a file, and whom root may trust."""
