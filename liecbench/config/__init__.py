"""Scenario files: read them, check them, and expand them into cells."""
