"""Every method of liecbench, with options by which a few steps show all that it does."""

from collections.abc import Callable
from typing import Any, Final

from liecbench.algorithms import CSER, CSGD, DGC, LIEC, Algorithm, DiLoCo, LocalSGD, OneBitAdam, SparseLoCo
from liecbench.compressors import QSGD, Sign
from liecbench.config import registry

OWN_OPTIONS: Final[dict[type[Algorithm], Callable[[], Algorithm]]] = {
    CSER: lambda: CSER(compressor=Sign(), average_period=3),
    CSGD: lambda: CSGD(compressor=QSGD()),
    DGC: lambda: DGC(warmup_epochs=0, ratio=0.1),
    DiLoCo: lambda: DiLoCo(sync_every=4, fragments=2, delay=1),
    LIEC: lambda: LIEC(compressor=Sign(), average_period=3),
    LocalSGD: lambda: LocalSGD(average_period=3),
    OneBitAdam: lambda: OneBitAdam(freeze_step=1),
    SparseLoCo: lambda: SparseLoCo(sync_every=3),
}


def classes() -> dict[str, type[Algorithm]]:
    """Return the class of every method by the method's name."""
    loaded = {name: registry.load("algorithm", name) for name in registry.names("algorithm")}
    return {name: cls for name, cls in loaded.items() if cls.__module__.startswith("liecbench.")}


def made(cls: type[Algorithm]) -> Algorithm:
    """Return a new object of a method's class."""
    if cls in OWN_OPTIONS:
        return OWN_OPTIONS[cls]()
    options: dict[str, Any] = {"compressor": Sign()} if registry.needs_compressor(cls) else {}
    return cls(**options)
