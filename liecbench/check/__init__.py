"""The regression gate: against a stored baseline, or A against B in turns."""
