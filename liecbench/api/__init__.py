"""The functions and classes that Python scripts and notebooks use; ``import liecbench`` offers all of them."""
