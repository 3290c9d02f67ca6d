"""GPU kernels, compiled by Triton.

A module with the name of a compressor contains the class that implements the compressor on GPUs (see
``dispatch.Operations``). The other modules contain shared code. Nothing here is imported before a GPU tensor is
compressed or decompressed.
"""
