"""A compiled index of a large store, kept in the user's cache folder as Python keeps its compiled modules.

It holds the positions of each account's lines, never their content, and no secret. It is made only from a store that was
validated as a whole, and everything read with its help is checked against the store's own bytes: a wrong or damaged
index costs time and never changes an answer. A missing one is no error.
"""
