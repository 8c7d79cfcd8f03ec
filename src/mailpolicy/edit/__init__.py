"""Edits of the store that change only the bytes they must, and that are verified before the file is replaced.

A change is described twice, as operations on the tree and as splices of the text. Only if the parser reads the same
tree from the new text is it written, in one step. A style of TOML that cannot be edited safely is refused with its
line.
"""
