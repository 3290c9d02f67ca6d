"""Start ranks, watch them and keep their records."""
