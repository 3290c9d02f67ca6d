"""GPU kernels, compiled by Triton.

A module with the name of a compressor contains the compressor's ``Operations``; the other modules contain shared code.
Nothing here is imported before a GPU tensor is compressed or decompressed.
"""
