"""Compression kernels, one module per operation and device."""
