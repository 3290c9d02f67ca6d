"""What GPUs did in an epoch, as a part of the page; nothing where no record has it."""

import html
from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.report.columns import metric_text
from liecbench.report.row_labels import Labels
from liecbench.results.comparison import Estimate, Row
from liecbench.results.gpu_metrics import values

_HEADINGS: Final = {
    "energy_joules": "J/epoch",
    "power_watts": "W",
    "utilisation": "use",
    "peak_memory_bytes": "memory",
    "sm_clock_hertz": "SM clock",
    "pcie_sent_bytes": "PCIe sent",
    "pcie_received_bytes": "PCIe received",
    "nvlink_sent_bytes": "NVLink sent",
    "nvlink_received_bytes": "NVLink received",
    "throttled_share": "throttled",
}
_CAPTION: Final = (
    "Means over the epochs, of all GPUs together, while they trained; memory is the most that was in use on one of "
    "them. Throttled is the share of samples in which the clocks were held back, and after it each reason's."
)


def section(rows: Sequence[Row], labels: Labels) -> str:
    """A table with a row for each whose records have figures of GPUs, or an empty text."""
    known = [row for row in rows if any(epoch.gpu for cell in row.members for epoch in cell.epochs)]
    if not known:
        return ""
    lines = [
        '<section aria-label="GPUs">',
        "<h2>GPUs</h2>",
        '<div class="scrolls" tabindex="0" role="region" aria-label="GPU table">',
        *_table(known, labels),
        "</div>",
        f'<p class="caption">{html.escape(_CAPTION)}</p>',
        "</section>",
    ]
    return "\n" + "\n".join(lines)


def _table(rows: Sequence[Row], labels: Labels) -> Iterator[str]:
    found = dict.fromkeys(
        name for row in rows for cell in row.members for epoch in cell.epochs for name in epoch.gpu or {}
    )
    reasons = [name for name in found if name.startswith("throttled_") and name not in _HEADINGS]
    names = [*(name for name in _HEADINGS if name in found), *reasons]
    heads = "".join(f'<th scope="col" class="number">{html.escape(_heading(name))}</th>' for name in names)
    yield f'<table class="telemetry"><thead><tr><th scope="col">method</th>{heads}</tr></thead><tbody>'
    for row in rows:
        cells = "".join(f'<td class="number">{html.escape(_text(row, name))}</td>' for name in names)
        yield f"<tr><td>{html.escape(labels.whole(row))}</td>{cells}</tr>"
    yield "</tbody></table>"


def _heading(name: str) -> str:
    return _HEADINGS.get(name) or name.removeprefix("throttled_").removesuffix("_share").replace("_", " ")


def _text(row: Row, name: str) -> str:
    """Over the cells that have it the mean of their epochs', of memory the largest."""
    seen = [found for cell in row.members if (found := values(cell.epochs, name))]
    if not seen:
        return "–"
    fold = max if name.startswith("peak_") else _mean
    return metric_text(name, Estimate.of([fold(found) for found in seen]))


def _mean(found: Sequence[float]) -> float:
    return sum(found) / len(found)
