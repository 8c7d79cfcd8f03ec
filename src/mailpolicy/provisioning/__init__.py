"""Desired accounts as people and programs hand them over: CSV, NDJSON and TOML, read into rows and written from a policy."""
