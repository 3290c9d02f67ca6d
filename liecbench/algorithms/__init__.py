"""LIEC-SGD and the methods it is compared with, as DistributedDataParallel communication hooks.

To train with LIEC-SGD, add to a training script:
liec = LIEC(compressor=Sign(), average_period=32)
liec.attach(ddp, optimizer)
"""

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import Algorithm, NonFiniteError, RunLengthError
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm, ErrorFeedback
from liecbench.algorithms.cser import CSER
from liecbench.algorithms.csgd import CSGD
from liecbench.algorithms.ddp import AllReduce, AllReduceBF16, AllReduceFP16
from liecbench.algorithms.demo import DeMo
from liecbench.algorithms.dgc import DGC
from liecbench.algorithms.diloco import DiLoCo
from liecbench.algorithms.doublesqueeze import DoubleSqueeze
from liecbench.algorithms.ef21 import EF21
from liecbench.algorithms.ef21_bc import EF21BC
from liecbench.algorithms.liec import LIEC
from liecbench.algorithms.local_sgd import LocalSGD
from liecbench.algorithms.memory import ServerMemory, WorkerMemory
from liecbench.algorithms.memsgd import MemSGD
from liecbench.algorithms.neolithic import Neolithic
from liecbench.algorithms.onebit_adam import OneBitAdam
from liecbench.algorithms.outer_steps import OuterSteps
from liecbench.algorithms.powersgd import PowerSGD
from liecbench.algorithms.psgd import PSGD
from liecbench.algorithms.quantized_all_reduce import Int4AllReduce, Int8AllReduce, QuantizedAllReduce
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.algorithms.signsgd import SignSGD
from liecbench.algorithms.sparseloco import SparseLoCo

__all__ = [
    "CSER",
    "CSGD",
    "DGC",
    "EF21",
    "EF21BC",
    "LIEC",
    "PSGD",
    "Algorithm",
    "AllReduce",
    "AllReduceBF16",
    "AllReduceFP16",
    "Block",
    "BlockAlgorithm",
    "CompressedAlgorithm",
    "DeMo",
    "DiLoCo",
    "DoubleSqueeze",
    "ErrorFeedback",
    "Int4AllReduce",
    "Int8AllReduce",
    "LocalSGD",
    "MemSGD",
    "Neolithic",
    "NonFiniteError",
    "OneBitAdam",
    "OuterSteps",
    "PeriodicAveraging",
    "PowerSGD",
    "QuantizedAllReduce",
    "RunLengthError",
    "ServerAlgorithm",
    "ServerMemory",
    "SignSGD",
    "SparseLoCo",
    "WorkerMemory",
]
