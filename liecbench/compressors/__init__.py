"""Gradient compressors: what travels instead of a vector, and what stays behind.

A compressor's module is imported when its name is first used, because that is when its kernels are compiled.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor, Message, RngKey
    from liecbench.compressors.casts import BF16, FP16, Int8
    from liecbench.compressors.identity import Identity
    from liecbench.compressors.qsgd import QSGD
    from liecbench.compressors.random_k import RandomK
    from liecbench.compressors.rounds import Rounds
    from liecbench.compressors.sign import BlockSign, Sign
    from liecbench.compressors.terngrad import TernGrad
    from liecbench.compressors.top_k import TopK
else:
    _HOMES = {
        "base": ["Compressor", "RngKey", "Message"],
        "casts": ["BF16", "FP16", "Int8"],
        "identity": ["Identity"],
        "qsgd": ["QSGD"],
        "random_k": ["RandomK"],
        "rounds": ["Rounds"],
        "sign": ["BlockSign", "Sign"],
        "terngrad": ["TernGrad"],
        "top_k": ["TopK"],
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{home}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BF16",
    "FP16",
    "QSGD",
    "BlockSign",
    "Compressor",
    "Identity",
    "Int8",
    "Message",
    "RandomK",
    "RngKey",
    "Rounds",
    "Sign",
    "TernGrad",
    "TopK",
]
