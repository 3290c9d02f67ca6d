"""The gate of two sides that are measured in turns."""
