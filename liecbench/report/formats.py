"""The formats of `compare --format`: each is a module with a function ``render(comparison)``."""

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, cast

if TYPE_CHECKING:
    from rich.console import RenderableType

    from liecbench.results.comparison import Comparison


class Renderer(Protocol):
    """A module that renders comparisons."""

    def render(self, comparison: "Comparison", /) -> "RenderableType":
        """Return the text to print as it is, or an object for Rich to print."""


class Format(StrEnum):
    """The choices of ``--format``: a new one is a module and a line here, with its name and its module.

    Modules are imported when they are used: `--help` needs the names alone.
    """

    module: str

    def __new__(cls, name: str, module: str) -> Self:
        """Return a member that equals its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.module = module
        return member

    TABLE = "table", "liecbench.report.terminal"
    MARKDOWN = "markdown", "liecbench.report.markdown"
    JSON = "json", "liecbench.report.json_rows"
    CSV = "csv", "liecbench.report.csv_rows"

    def render(self, comparison: "Comparison") -> "RenderableType":
        """Return the text to print as it is, or an object for Rich to print."""
        return cast("Renderer", importlib.import_module(self.module)).render(comparison)
