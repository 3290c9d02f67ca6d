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


def starred_field_text(row: Row, name: str) -> str:
    """Return a field's value as text, with a star after the name of the baseline."""
    star = " *" if name == "algorithm" and row.is_baseline else ""
    return field_text(row, name) + star


def best_cells(rows: Sequence[Row], metric: Metric) -> frozenset[int]:
    """Return the rows, each by its ``id``, that have the best mean of a metric.

    The baseline's difference from itself, or ratio to itself, is no result and never among them.
    """
    best = metric.best(row.metrics[metric.name] for row in rows)
    eligible = [row for row in rows if not (row.is_baseline and metric.compare is not None)]
    return frozenset(id(row) for row in eligible if (found := row.metrics[metric.name]) and found.mean == best)


def caption(comparison: Comparison) -> str:
    """Return the text below a table: the fields that all rows share, and an explanation of the columns."""
    rows, baseline = comparison.rows, comparison.baseline_choice.text
    compared = any(row.metrics["speedup"] is not None for row in rows)
    ratios = (
        f"* baseline {baseline}; bytes÷ and speed-up: baseline ÷ row" if compared else f"no {baseline} to compare with"
    )
    of_gpus = any(metric.of_gpus for metric in comparison.columns(page=True))
    gpus = "; figures of GPUs: of all together" if of_gpus else ""
    shared = " · ".join(_shared_fields(comparison))
    return f"{one_line(shared)}\n{one_line(ratios)}; payload and wire: sent + received per rank and epoch{gpus}"


def shared_text(comparison: Comparison) -> str:
    """Return the fields that all rows share, and the name of the baseline, as one line for a short caption."""
    compared = any(row.metrics["speedup"] is not None for row in comparison.rows)
    baseline = comparison.baseline_choice.text
    end = f"* baseline {baseline}" if compared else f"no {baseline} to compare with"
    judged = next((found for one in comparison.setting_verdicts for found in one.accuracy if found is not None), None)
    if judged is not None:
        quality = "test loss" if judged.by_loss else "accuracy"
        end += f"; kept: {quality} within {comparison.words.tolerance(judged)} of {baseline}'s"
    return one_line(" · ".join([*_shared_fields(comparison), end]))


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
