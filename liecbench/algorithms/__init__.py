"""LIEC-SGD and its rivals as DistributedDataParallel communication hooks; one line puts one into a training script.

liec = LIEC(compressor=Sign(), average_period=32)
liec.attach(ddp, optimizer)
"""

from liecbench.algorithms.base import Algorithm, NonFiniteError
from liecbench.algorithms.ddp import DDP
from liecbench.algorithms.doublesqueeze import DoubleSqueeze
from liecbench.algorithms.liec import LIEC
from liecbench.algorithms.memsgd import MemSGD
from liecbench.algorithms.psgd import PSGD
from liecbench.algorithms.server import ServerAlgorithm

__all__ = ["DDP", "LIEC", "PSGD", "Algorithm", "DoubleSqueeze", "MemSGD", "NonFiniteError", "ServerAlgorithm"]
