"""Runs of mailpolicy in which one system call fails, kills, is cut short, or in which all that reaches the disk is recorded."""
