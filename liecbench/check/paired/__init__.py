"""Checks of A against B, measured side by side."""
