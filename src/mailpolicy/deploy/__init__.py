"""Bringing the files that this machine's servers read up to date, and telling the servers."""
