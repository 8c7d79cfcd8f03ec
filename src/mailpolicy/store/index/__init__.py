"""A compiled index of a large store, kept in the user's cache as Python keeps its compiled modules.

Promises: it says where an account's lines stand, never what they say; what it says is sealed and checked against the
store, so that a wrong one costs time and gives no answer; it is made only of a store that was wholly validated. No
policy, no secret, no error: whoever cannot use or write one does without. Not promised: that there is one.
"""
