"""The store and host.toml: reading, parsing, validating and locating keys in the text."""
