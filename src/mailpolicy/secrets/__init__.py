"""Secrets in a keyring or the sealed file, and changes of them that were interrupted."""
