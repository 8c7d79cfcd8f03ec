"""The keyrings of the operating system."""
