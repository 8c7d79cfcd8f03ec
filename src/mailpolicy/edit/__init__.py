"""Changes of a store that keep every byte they do not mean, and prove themselves before they are installed.

Promises: a change is described twice, as operations on the tree and as splices of the text, and only where the reading
parser finds both the same is anything written; all or nothing; nothing to do writes nothing. Not promised: that every
style of TOML can be edited; what cannot is refused with the line that needs a hand.
"""
