"""Checks against a stored baseline."""
