"""The flows that pair a secret with an edit of the store."""
