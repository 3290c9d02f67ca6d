"""liecbench: does gradient compression pay off on my network? A benchmark that measures it.

``liecbench.run`` runs a scenario; ``liecbench.load_results`` loads what runs have measured. Both return ``Results``.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from liecbench.api.loaded_results import Results, load_results
    from liecbench.api.scenario_run import run

__version__ = "0.2.0"
__all__ = ["Results", "__version__", "load_results", "run"]

# Imported when they are first used, so that `import liecbench` takes no time.
_MODULES: Final = {
    "Results": "liecbench.api.loaded_results",
    "load_results": "liecbench.api.loaded_results",
    "run": "liecbench.api.scenario_run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
