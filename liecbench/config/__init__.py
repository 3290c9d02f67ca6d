"""Scenario files: parse, validate and turn into cells and objects."""
