"""mailpolicy: which mail services each account may use, kept in one reviewed file, answered and explained."""

__version__ = "0.1.0"
