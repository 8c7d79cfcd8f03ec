"""A TOML file of ours: its text, its tree, its tables, and where things stand in it."""
