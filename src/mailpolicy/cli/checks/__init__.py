"""The checks of the command doctor; each yields results with the commands that fix a problem."""
