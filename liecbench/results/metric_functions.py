"""Functions that derive metrics: from a completed cell, or from a cell and the baseline's cell of the same seed."""

import statistics
from collections.abc import Mapping
from typing import Final

from liecbench.results.completed_cell import CompletedCell
from liecbench.results.language_model import to_perplexity
from liecbench.results.metric_row import Compare

# Every language model has this metric, and no other model has it.
PERPLEXITY_NAME: Final = "perplexity"


def baseline_ratio(name: str) -> Compare:
    """Return a function that returns the baseline's metric ``name`` ÷ the cell's, for equally many samples.

    ``name`` is a cost per epoch, such as ``seconds_per_epoch``. The function returns None if either cost is unknown, or
    if the cell's is 0.
    """

    def ratio(cell: Mapping[str, float], baseline: Mapping[str, float], samples_ratio: float) -> float | None:
        return baseline[name] / cell[name] * samples_ratio if name in baseline and cell.get(name) else None

    return ratio


def accuracy_difference(cell: Mapping[str, float], baseline: Mapping[str, float], _: float) -> float | None:
    """Return the cell's test accuracy minus the baseline's, as a fraction.

    Return None for language models, and if the cell or the baseline was not trained.
    """
    return None if PERPLEXITY_NAME in cell else _difference("test_accuracy", cell, baseline)


def loss_difference(cell: Mapping[str, float], baseline: Mapping[str, float], _: float) -> float | None:
    """Return the cell's test loss minus the baseline's; None unless both are trained language models."""
    return _difference("test_loss", cell, baseline) if PERPLEXITY_NAME in cell else None


def _difference(name: str, cell: Mapping[str, float], baseline: Mapping[str, float]) -> float | None:
    return cell[name] - baseline[name] if name in cell and name in baseline else None


def perplexity(cell: CompletedCell) -> float | None:
    """Return e to the power of the last test loss; None if the cell does not train a language model."""
    return to_perplexity(cell.epochs[-1].test_loss) if cell.is_language_model else None


def tokens(cell: CompletedCell) -> float | None:
    """Return the number of tokens that all ranks together train on in all epochs; None if an epoch lacks the number."""
    counts = [epoch.tokens for epoch in cell.epochs if epoch.tokens is not None]
    return float(sum(counts)) if len(counts) == len(cell.epochs) else None


def tokens_per_second(cell: CompletedCell) -> float | None:
    """Return the tokens that all ranks together train on per second; None if tokens or times are unknown."""
    seconds, total = cell.seconds_per_epoch("train_seconds"), tokens(cell)
    return None if total is None or not seconds else total / len(cell.epochs) / seconds


def of_the_row(_cell: Mapping[str, float], _baseline: Mapping[str, float], _samples_ratio: float) -> None:
    """Return None, because a metric that is computed from all cells of a row has no value for a single cell."""


def wire_bytes(cell: CompletedCell) -> float | None:
    """Return the wire bytes sent + received per epoch, mean over ranks; None if no interface counts them."""
    known = [wire for epoch in cell.costly_epochs if (wire := epoch.wire_bytes_per_rank) is not None]
    return statistics.fmean(known) if known else None


def optimizer_bytes(cell: CompletedCell) -> float | None:
    """Return the bytes of the optimizer's states, such as momentum, on rank 0; None without states."""
    known = [size for epoch in cell.epochs if (size := epoch.optimizer_bytes) is not None]
    return float(max(known)) if known else None


def memory_bytes(cell: CompletedCell) -> float | None:
    """Return the bytes of the vectors that the method keeps, on the rank with the most; None if not recorded."""
    known = [size for epoch in cell.epochs if (size := epoch.memory_bytes) is not None]
    return float(max(known)) if known else None


def compute_utilization(cell: CompletedCell) -> float | None:
    """Return the share of an epoch's time that is computing; None if the records do not divide the time into parts."""
    if cell.seconds_per_epoch("other_seconds") is None:
        return None
    compute, whole = (cell.seconds_per_epoch(name) for name in ("compute_seconds", "train_seconds"))
    return None if compute is None or not whole else compute / whole
