"""The record of an epoch, combined from the measurements of all ranks."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.host.gpu_sampler import combined
from liecbench.results.records import Epoch
from liecbench.worker.rank_measurement import RankMeasurement, other_cpu_share
from liecbench.worker.step_parts import StepParts


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The results of the evaluation after an epoch, equal on every rank.

    Attributes:
        test_loss: Mean loss of the ranks' mean model over the test set.
        test_accuracy: Accuracy of the mean model on the test set, from 0 to 1.
        divergence: Largest relative distance of a rank's model from the mean model.
        compression_error: Mean over ranks of ‖C(v) − v‖² / ‖v‖², where v is the vector that a rank compresses, and C(v)
            is v after compression and decompression; None if the method does not compress.
        residual_norm: Norm of the concatenated residuals of all ranks; None for a method without error feedback.
    """

    test_loss: float
    test_accuracy: float
    divergence: float
    compression_error: float | None
    residual_norm: float | None


def combine_ranks(
    ranks: Sequence[RankMeasurement], evaluation: Evaluation, *, cell: str, attempt: int, epoch: int
) -> Epoch:
    """Return the record of an epoch, combined from all ranks' measurements and the evaluation.

    Most times in the record are those of the rank with the longest training time. ``step_seconds`` has the median and
    the 95th percentile over the steps. The time of a step is the time of the rank that is slowest in this step.

    Args:
        ranks: The measurement of each rank.
        evaluation: The evaluation after the epoch.
        cell: The id of the cell, one configuration with one seed.
        attempt: The number of the attempt to train the cell, from 1.
        epoch: The epoch, from 1.

    Raises:
        NonFiniteError: If the training or test loss is not finite.
    """
    train_loss = statistics.fmean(rank.mean_loss for rank in ranks)
    if not math.isfinite(train_loss) or not math.isfinite(evaluation.test_loss):
        losses = f"train {train_loss}, test {evaluation.test_loss}"
        raise NonFiniteError(f"epoch {epoch}: the loss is not finite ({losses})")
    slowest = max(ranks, key=lambda rank: rank.train_seconds)
    parts = StepParts.of(ranks)
    steps = np.array([rank.step_seconds for rank in ranks]).max(axis=0)
    quantiles = {"median": float(np.median(steps)), "p95": float(np.percentile(steps, 95))} if steps.size else None
    return Epoch(
        cell=cell,
        attempt=attempt,
        epoch=epoch,
        steps=slowest.num_steps,
        timed_steps=len(slowest.step_seconds),
        train_loss=train_loss,
        train_seconds=slowest.train_seconds,
        data_seconds=slowest.data_seconds,
        step_seconds=quantiles,
        compute_seconds=parts.compute_seconds,
        exposed_seconds=slowest.exposed_seconds,
        exposed_wire_seconds=parts.wire_seconds,
        exposed_compress_seconds=parts.compress_seconds,
        other_seconds=parts.other_seconds,
        compress_seconds=slowest.counters.compress_seconds,
        communicate_seconds=slowest.counters.communicate_seconds,
        least_communicate_seconds=min(rank.counters.communicate_seconds for rank in ranks),
        payload_bytes={
            "sent": [rank.counters.sent_bytes for rank in ranks],
            "received": [rank.counters.received_bytes for rank in ranks],
        },
        wire_bytes=_wire_bytes(ranks),
        messages=[rank.counters.sent_messages for rank in ranks],
        cpu_seconds=sum(rank.cpu_seconds for rank in ranks),
        other_cpu_share=other_cpu_share(ranks),
        peak_memory_bytes=max(rank.peak_memory_bytes for rank in ranks),
        memory_bytes=max(rank.memory_bytes for rank in ranks),
        gpu=combined([metrics for rank in ranks for metrics in rank.gpu]),
        **dataclasses.asdict(evaluation),
    )


def _wire_bytes(ranks: Sequence[RankMeasurement]) -> dict[str, list[int]] | None:
    """Return each rank's wire bytes under the keys ``sent`` and ``received``; None if a rank's bytes are unknown."""
    known = [rank.wire_bytes for rank in ranks if rank.wire_bytes is not None]
    if len(known) < len(ranks):
        return None
    return {"sent": [sent for sent, _ in known], "received": [received for _, received in known]}


def untimed(epoch: Epoch) -> Epoch:
    """Return the record of an epoch without its times and wire bytes.

    Use it for cells that are trained only for their losses, without limits on the links. The times of such a training
    would mislead, so the steps are timed separately on the limited links.
    """
    seconds = {
        field.name: None if field.default is None else 0.0
        for field in dataclasses.fields(epoch)
        if field.name.endswith("_seconds")
    }
    changes: dict[str, Any] = {**seconds, "step_seconds": None, "wire_bytes": None, "other_cpu_share": None}
    return dataclasses.replace(epoch, timed_steps=0, **changes)


def mean_over_ranks(value: float | None) -> float | None:
    """Return the mean of ``value`` over ranks. Collective.

    Return None if at least one rank's ``value`` is None, NaN or infinite.
    """
    total = torch.tensor(math.nan if value is None else value, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total) / dist.get_world_size() if total.isfinite() else None


def norm_over_ranks(norm: float | None) -> float | None:
    """Return the norm of the concatenation of all ranks' vectors; None if any rank's ``norm`` is None. Collective.

    Args:
        norm: The norm of this rank's vector.
    """
    mean_square = mean_over_ranks(None if norm is None else norm**2)
    return None if mean_square is None else math.sqrt(mean_square * dist.get_world_size())
