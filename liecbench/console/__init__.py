"""Printing on standard output and standard error, on any terminal and in any encoding."""
