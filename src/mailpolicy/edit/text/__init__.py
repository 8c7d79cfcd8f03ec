"""Lossless edits of a store's text."""
