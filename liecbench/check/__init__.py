"""The regression gate: it checks results against a stored baseline, or side B against side A in paired measurements."""
