"""Compare the costs of epochs that train on different numbers of samples, as if both trained on equally many.

An epoch leaves out the samples at its end that do not fill a step. A method that accumulates the gradients of several
minibatches per step, or that has more workers, can therefore train on fewer samples per epoch than the baseline.
"""

import statistics
from collections.abc import Sequence

from liecbench.results.records import Epoch


def samples_per_epoch(epochs: Sequence[Epoch]) -> float | None:
    """Return the samples that all ranks train on per epoch, mean over the epochs that have the number.

    Return None if no epoch has it.

    Args:
        epochs: Epochs of cells that differ only in the seed: all have the same number of samples. Epochs that an
            earlier version recorded without the number are ignored.
    """
    known = [epoch.samples for epoch in epochs if epoch.samples is not None]
    return statistics.fmean(known) if known else None


def samples_ratio(own: float | None, other: float | None) -> float:
    """Return the samples per epoch ``own`` ÷ ``other``.

    Return 1 if either is None, because records of earlier versions lack the samples.
    """
    return 1.0 if own is None or other is None else own / other


def seconds_per_work(epochs: Sequence[tuple[float, float | None]]) -> list[float]:
    """Return numbers by which to rank epochs by speed: the seconds per sample of each.

    Return the seconds per epoch instead if the samples of any epoch are unknown.

    Args:
        epochs: For each epoch, its seconds and its samples. The samples are None if they are unknown.
    """
    per_sample = [seconds / samples for seconds, samples in epochs if samples is not None]
    return per_sample if len(per_sample) == len(epochs) else [seconds for seconds, _ in epochs]
