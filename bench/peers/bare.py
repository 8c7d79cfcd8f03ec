"""Nothing: what any Python program pays."""
