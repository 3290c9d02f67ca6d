"""liecbench: does gradient compression pay off on my network? A benchmark that measures it."""

__version__ = "0.2.0"
