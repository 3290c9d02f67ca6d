"""The sections of the HTML page: each section's visible figures, and the figures that the reader has to unfold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.report.figures.figure import Figure

# By section, its heading, the keys of the figures to show, and those to fold.
_SECTIONS: Final = (
    (
        "accuracy",
        "Accuracy",
        ("accuracy-epochs", "test-loss-tokens"),
        ("perplexity-tokens", "loss-epochs"),
    ),
    (
        "time",
        "Time",
        ("accuracy-seconds", "test-loss-seconds", "break-even", "workers"),
        ("rates", "perplexity-seconds", "loss-seconds", "accuracy-energy"),
    ),
    (
        "bytes",
        "Bytes",
        ("pareto", "pareto-loss"),
        ("accuracy-bytes", "test-loss-bytes", "perplexity-bytes", "loss-bytes", "ranks"),
    ),
    ("where", "Where time goes", ("epoch-time", "epoch-time-links"), ()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSection:
    """A section of the page: its visible figures, and its figures that stay folded until the reader opens them."""

    key: str
    heading: str
    shown: tuple[Figure, ...]
    folded: tuple[Figure, ...]


def figure_sections(figures: Sequence[Figure]) -> Iterator[FigureSection]:
    """Yield the sections of the HTML page that contain at least one of ``figures``."""
    by_key = {figure.key: figure for figure in figures}
    for key, heading, shown, folded in _SECTIONS:
        found = FigureSection(
            key=key,
            heading=heading,
            shown=tuple(by_key[name] for name in shown if name in by_key),
            folded=tuple(by_key[name] for name in folded if name in by_key),
        )
        if found.shown or found.folded:
            yield found


def is_a_line(figure: Figure) -> bool:
    """Return False if ``figure`` is a line chart in which no line has two points, as after one epoch; else True."""
    return figure.kind != "lines" or any(len(series.x) > 1 for series in figure.series)
