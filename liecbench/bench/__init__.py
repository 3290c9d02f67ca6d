"""The microbenchmarks of ``liecbench bench``, which compare measured times with physical limits."""
