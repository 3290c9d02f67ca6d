"""GPU kernels, compiled by Triton.

The modules named after a compressor have the class with its ``Operations``; the others have what these share. Nothing
here is imported before a GPU tensor comes.
"""
