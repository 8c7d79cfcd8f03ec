"""A store parsed and nothing else: what any Python program that reads it pays."""

import sys

import tomli

with open(sys.argv[1], encoding="utf-8") as file:
    tomli.loads(file.read())
