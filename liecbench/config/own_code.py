"""The files outside liecbench that define a cell's method, compressor, dataset and model: a user's own code.

Only the file that defines the class or function counts. Files that it imports do not, even if a base class is there.
"""

import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from liecbench.config import registry, user_functions
from liecbench.config.cell import Cell
from liecbench.profiles.profile_store import SHA256_PATTERN

Part = Literal["algorithm", "compressor", "dataset", "model"]
_OWN_PACKAGE: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFile:
    """A file of Python code outside liecbench.

    Attributes:
        module: The name of the module in the file, such as ``my_methods``.
        sha256: The SHA-256 of the file.
    """

    module: Annotated[str, Field(pattern=r"^[\w.]*\z")]
    sha256: Annotated[str, Field(pattern=SHA256_PATTERN)]


def code_files(cell: Cell) -> dict[Part, CodeFile]:
    """Return the file that defines each part of a cell. Parts that liecbench itself defines are left out.

    Raises:
        LiecbenchError: If a class cannot be loaded.
        FunctionError: If a function of the user's own does not exist.
    """
    found = {part: _code_file(part, name) for part, name in part_names(cell).items()}
    return {part: file for part, file in found.items() if file is not None}


def part_names(cell: Cell) -> dict[Part, str]:
    """Return the name of each part of a cell, such as ``top_k`` for ``compressor``."""
    names: dict[Part, str] = {"algorithm": cell.algorithm.name}
    if cell.compressor is not None:
        names["compressor"] = cell.compressor.name
    if cell.is_trained:
        names |= {"dataset": cell.task.dataset.name, "model": cell.task.model.name}
    return names


def is_changed(file: CodeFile) -> bool:
    """Return True if this Python would import another version of the module ``file.module``. Nothing is imported.

    Return False if the module cannot be found here.
    """
    top, *rest = file.module.split(".")
    try:
        spec = _spec(top)
    except (ImportError, ValueError, AttributeError):
        return False
    if spec is None:
        return False
    paths = [Path(spec.origin)] if spec.origin and not rest else []
    for directory in spec.submodule_search_locations or () if rest else ():
        base = Path(directory, *rest)
        paths += [base.with_name(f"{base.name}.py"), base / "__init__.py"]
    path = next((path for path in paths if path.is_file()), None)
    return path is not None and _sha256(path) != file.sha256


def _spec(top: str) -> ModuleSpec | None:
    # As user_functions.function: files in the working directory come last.
    return importlib.util.find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])


def _code_file(part: Part, name: str) -> CodeFile | None:
    if user_functions.is_reference(name):
        module = getattr(user_functions.function(name), "__module__", name.partition(":")[0])
    else:
        module = registry.load(part, name).__module__
    path = getattr(sys.modules.get(module), "__file__", None)
    if module.partition(".")[0] == _OWN_PACKAGE or not path or not Path(path).is_file():
        return None
    return CodeFile(module=module, sha256=_sha256(Path(path)))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
