"""Links: their description, emulation and measurement."""
