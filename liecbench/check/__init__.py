"""The regression gate: results against a stored baseline, or A against B measured side by side."""
