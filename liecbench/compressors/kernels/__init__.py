"""Compression kernels: ``cpu`` compiled by numba, ``triton`` for GPUs, and the dispatch between them by device."""
