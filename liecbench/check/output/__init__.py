"""Output formats of a check's outcome: table, JSON, JUnit XML, GitHub."""
