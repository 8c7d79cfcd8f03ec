"""Changes of secrets, alone or together with an edit of the store."""
