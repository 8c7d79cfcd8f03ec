"""The journal of edits, and the way back.

A journal's entry holds the difference of two TOML trees, whatever command made it, so there is one way to write it down
and one way to take it back.
"""
