"""Gradient compressors: they turn a vector into a shorter message, and the message back into an approximate vector.

This package imports a compressor's module only when the compressor's name is first used, so that a program that uses
one compressor does not load the others.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor, Message, RngKey
    from liecbench.compressors.chunked_top_k import ChunkedTopK
    from liecbench.compressors.half_precision import BF16, FP16
    from liecbench.compressors.identity import Identity
    from liecbench.compressors.int4 import Int4
    from liecbench.compressors.int8 import Int8
    from liecbench.compressors.qsgd import QSGD
    from liecbench.compressors.random_k import RandomK
    from liecbench.compressors.rounds import Rounds
    from liecbench.compressors.sign import BlockSign, Sign, SignL2
    from liecbench.compressors.terngrad import TernGrad
    from liecbench.compressors.top_k import TopK
else:
    _CLASSES_BY_MODULE = {
        "base": ["Compressor", "Message", "RngKey"],
        "chunked_top_k": ["ChunkedTopK"],
        "half_precision": ["BF16", "FP16"],
        "identity": ["Identity"],
        "int4": ["Int4"],
        "int8": ["Int8"],
        "qsgd": ["QSGD"],
        "random_k": ["RandomK"],
        "rounds": ["Rounds"],
        "sign": ["BlockSign", "Sign", "SignL2"],
        "terngrad": ["TernGrad"],
        "top_k": ["TopK"],
    }

    def __getattr__(name):
        for module, classes in _CLASSES_BY_MODULE.items():
            if name in classes:
                return getattr(importlib.import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BF16",
    "FP16",
    "QSGD",
    "BlockSign",
    "ChunkedTopK",
    "Compressor",
    "Identity",
    "Int4",
    "Int8",
    "Message",
    "RandomK",
    "RngKey",
    "Rounds",
    "Sign",
    "SignL2",
    "TernGrad",
    "TopK",
]
