"""A policy held against expectations: test cases and the logins of a log."""
