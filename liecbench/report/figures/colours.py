"""Colours, dashes and markers of all figures: one colour per algorithm, distinct for colour-blind readers.

Methods with the same algorithm differ in dash and marker.
"""

from collections.abc import Iterable
from typing import Final

# Okabe and Ito, "Color Universal Design" (2008), without black, which dark pages hide; then Tol's muted (2021).
_COLOURS: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#999933",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#DDCC77",
    "#6699CC",
)
BASELINE: Final = "#808080"
REFERENCE: Final = "#999999"
# Colours of the parts of an epoch's time, in the order of results.time_parts.PARTS.
PARTS: Final = ("#56B4E9", "#D55E00", "#E69F00", "#CC79A7", "#882255")
MARKERS: Final = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "pentagon")
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS: Final = ("", "/", ".", "x", "-", "+")


class Palette:
    """A colour for each text in ``methods``: colours are assigned in the order of the texts, and ``baseline`` is grey.

    The texts are those of ``Labels.colour_keys``, such as the algorithm ``psgd``.
    """

    def __init__(self, methods: Iterable[str], baseline: str) -> None:
        others = [method for method in dict.fromkeys(methods) if method != baseline]
        self._colours = {method: _COLOURS[number % len(_COLOURS)] for number, method in enumerate(others)}
        self._colours[baseline] = BASELINE

    def colour(self, method: str) -> str:
        """Return the method's colour as ``#RRGGBB``; an unknown method has the colour of reference lines."""
        return self._colours.get(method, REFERENCE)
