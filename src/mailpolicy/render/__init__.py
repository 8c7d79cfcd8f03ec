"""What values look like on a screen and in JSON; plain functions from values to text, no I/O."""
