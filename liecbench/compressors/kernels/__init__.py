"""Compression kernels: ``cpu`` is compiled by numba, ``triton`` is for GPUs, and ``dispatch`` chooses by device."""
