"""Which secret belongs to what, and where it is kept."""
