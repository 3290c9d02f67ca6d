"""Texts that the tables of a comparison share, whether on a terminal, in Markdown or on the HTML page."""

from collections.abc import Sequence

from liecbench.network.slowdown import replays_text
from liecbench.results.comparison import Comparison
from liecbench.results.gpu_metrics import max_ranks_per_gpu
from liecbench.results.metric_row import Metric
from liecbench.results.row_labels import SHOWN_DIGITS
from liecbench.results.rows import Row
from liecbench.untrusted.plain_text import one_line, shortened

_CAPTION_FIELDS = (
    "link",
    "profile",
    "dataset",
    "model",
    "compressor",
    "server",
    "batch_size",
    "epochs",
    "learning_rate",
)


def field_heading(name: str) -> str:
    """Return the heading of a field's column: the field's name with spaces instead of underscores."""
    return one_line(name.replace("_", " "))


def field_text(row: Row, name: str) -> str:
    """Return the value of the field ``name`` as text; a dash if the row has none."""
    value = row.compute_text if name == "compute" else row.fields.get(name)
    if name == "profile" and value is not None:
        value = str(value)[:SHOWN_DIGITS]
    if isinstance(value, dict):
        value = ", ".join(f"{key} {item}" for key, item in value.items())
    return "–" if value is None else shortened(one_line(str(value)))


def marked_field_text(comparison: Comparison, row: Row, name: str) -> str:
    """Return the value of the row's field ``name`` as text.

    If ``name`` is ``algorithm``, the text ends with the mark that ``row_mark`` returns, such as ``" *"``.
    """
    return field_text(row, name) + (row_mark(comparison, row) if name == "algorithm" else "")


def row_mark(comparison: Comparison, row: Row) -> str:
    """Return the mark to add to a row's name: ``" *"`` for the baseline, ``" (recommended)"`` for a recommended row.

    A recommended baseline gets both marks. If a row is neither the baseline nor recommended, the mark is empty.
    """
    recommended = " (recommended)" if row is comparison.verdict_of(row).recommended else ""
    return f"{' *' if row.is_baseline else ''}{recommended}"


def best_cells(rows: Sequence[Row], metric: Metric) -> frozenset[int]:
    """Return ``id(row)`` for each row with the best mean of a metric.

    If the metric compares with the baseline, as a speed-up does, the baseline's row is not returned, even if its mean
    is the best.
    """
    best = metric.best(row.metrics[metric.name] for row in rows)
    eligible = [row for row in rows if not (row.is_baseline and metric.compare is not None)]
    return frozenset(id(row) for row in eligible if (found := row.metrics[metric.name]) and found.mean == best)


def caption(comparison: Comparison) -> str:
    """Return the two lines below a table.

    The first line has the fields that are equal in all rows. The second line says what ``*`` means in the table, and
    what the columns mean.
    """
    columns = comparison.columns()
    meanings = [_baseline_text(comparison), *(f"{one.heading}: {one.meaning}" for one in columns if one.meaning)]
    gpus = ["figures of GPUs: of all together"] if any(metric.of_gpus for metric in columns) else []
    shared = " · ".join(_shared_fields(comparison))
    return f"{one_line(shared)}\n{one_line('; '.join([*meanings, *gpus]))}"


def shared_text(comparison: Comparison) -> str:
    """Return a one-line caption: the fields that all rows share, and what ``*`` and ``kept`` mean in the table."""
    ends = [_baseline_text(comparison), kept_text(comparison)]
    return one_line(" · ".join([*_shared_fields(comparison), "; ".join(end for end in ends if end)]))


def shared_fields_text(comparison: Comparison) -> str:
    """Return one line of text with the fields that are equal in all rows."""
    return one_line(" · ".join(_shared_fields(comparison)))


def kept_text(comparison: Comparison) -> str:
    """Return the legend of the word ``kept`` in a table, such as ``kept: accuracy within 0.5 points of ddp's``.

    The legend is empty if no row has a verdict on accuracy or test loss.
    """
    judged = next((found for one in comparison.setting_verdicts for found in one.accuracy if found is not None), None)
    return "" if judged is None else f"kept: {comparison.words.within(judged)}"


def _baseline_text(comparison: Comparison) -> str:
    baseline = comparison.words.baseline
    compared = any(row.is_baseline or row.metrics["speedup"] is not None for row in comparison.rows)
    return f"* the baseline, {baseline}" if compared else f"no {baseline} to compare with"


def _shared_fields(comparison: Comparison) -> list[str]:
    shared, rows = comparison.shared_fields, comparison.rows
    ranks_per_gpu = max_ranks_per_gpu(cell for row in rows for cell in row.cells)
    parts = [f"{shared['workers']} workers"] if "workers" in shared else []
    parts += [f"up to {ranks_per_gpu} ranks per GPU"] if ranks_per_gpu > 1 else []
    if rows and all(row.is_replayed for row in rows) and "compute" in shared:
        timed = [row for row in rows if row.num_completed] or rows
        parts.append(f"times {replays_text([row.dilation for row in timed], [row.message_divisor for row in timed])}")
    parts += ["not trained"] if rows and not any(row.is_trained for row in rows) else []
    parts += ["times composed"] if shared.get("timing") == "composed" else []
    shown = {**shared, "profile": str(shared.get("profile"))[:SHOWN_DIGITS]}
    return [*parts, *(f"{field_heading(name)} {shown[name]}" for name in _CAPTION_FIELDS if name in shared)]
