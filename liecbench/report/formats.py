"""The formats of `liecbench compare --format`: each is a module with a function ``render(comparison)``."""

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, cast

if TYPE_CHECKING:
    from rich.console import RenderableType

    from liecbench.results.comparison import Comparison


class Renderer(Protocol):
    """The interface of a module that renders comparisons in one format."""

    def render(self, comparison: "Comparison", /) -> "RenderableType":
        """Return the comparison, either as text to print unchanged or as an object for Rich to print."""


class NamedModule(StrEnum):
    """Base class for the values of a command-line option. Each value, such as ``csv``, is implemented by a module.

    Attributes:
        module: The full name of the module, such as ``liecbench.report.csv_rows``. This class does not import it.
    """

    # Imported only when it is used, because `--help` needs only the names.
    module: str

    def __new__(cls, name: str, module: str) -> Self:
        """Create a member that equals the text ``name`` and has the attribute ``module``, a module's full name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.module = module
        return member


class Format(NamedModule):
    """The values of ``liecbench compare --format``.

    To add a format, write a module for it and add a member here, with the names of the format and of the module.
    """

    TABLE = "table", "liecbench.report.terminal"
    MARKDOWN = "markdown", "liecbench.report.markdown"
    JSON = "json", "liecbench.report.json_rows"
    CSV = "csv", "liecbench.report.csv_rows"

    def render(self, comparison: "Comparison") -> "RenderableType":
        """Return the comparison as a text to print unchanged, or as an object for Rich to print."""
        return cast("Renderer", importlib.import_module(self.module)).render(comparison)
