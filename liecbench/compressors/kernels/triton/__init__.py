"""GPU kernels, compiled by Triton."""
