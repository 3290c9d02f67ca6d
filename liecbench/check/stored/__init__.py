"""The gate against a stored baseline."""
