"""Checks of results against a stored baseline."""
