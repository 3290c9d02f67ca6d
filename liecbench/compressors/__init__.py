"""Gradient compressors: what travels instead of a vector, and what stays behind."""

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.identity import Identity
from liecbench.compressors.sign import Sign
from liecbench.compressors.top_k import TopK

__all__ = ["Compressor", "Identity", "Message", "Sign", "TopK"]
