"""CPU kernels, compiled by numba: one module per compressor or encoding."""
