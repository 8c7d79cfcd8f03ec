"""The recipes for mail suites: every command on their pages is run on a machine with the suite's configuration."""
