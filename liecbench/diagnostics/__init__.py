"""Find out what this machine can do."""
