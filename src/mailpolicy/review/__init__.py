"""Check a policy against expectations: test cases, and the logins in a log."""
