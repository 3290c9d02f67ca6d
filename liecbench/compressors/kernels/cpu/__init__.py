"""CPU kernels, compiled by numba, with one module per compressor or encoding."""
