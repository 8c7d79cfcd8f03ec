"""The tests; folders as those of the source, and `real` for what needs a real program."""
