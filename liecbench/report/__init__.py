"""Rows of a comparison as text: one file a format."""
