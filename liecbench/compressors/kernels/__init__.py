"""Compression kernels: ``cpu`` for CPUs (compiled by numba), ``triton`` for GPUs; ``dispatch`` chooses by device."""
