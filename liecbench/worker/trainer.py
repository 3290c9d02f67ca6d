"""Train a cell (one configuration with one seed) epoch by epoch, and evaluate the model after each epoch."""

import dataclasses
from collections import Counter
from pathlib import Path

import torch.distributed as dist
from torch import Tensor

from liecbench.results.records import Epoch
from liecbench.worker.collective_errors import collective_cleanup
from liecbench.worker.combine_ranks import Evaluation, combine_ranks, mean_over_ranks, norm_over_ranks, untimed
from liecbench.worker.evaluation import compression_error, divergence, evaluate_mean_model
from liecbench.worker.event_writer import EventWriter
from liecbench.worker.first_steps import FirstStepsRecorder
from liecbench.worker.gpu_telemetry import Sampler
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes
from liecbench.worker.replica import Replica
from liecbench.worker.step_timing import start_clock
from liecbench.worker.timeline import Timeline, traced_steps


class Trainer:
    """The training and evaluation of a cell's epochs on one rank.

    Args:
        replica: The cell's model, optimizer, algorithm and data on this rank.
        events: Writer of progress for the ``liecbench`` command; None except on rank 0.
        trace_path: File for a timeline of a few steps; None for no timeline.
        sampler: Sampler of this machine's GPUs. One rank per machine has a sampler; None on the machine's other ranks,
            and if the ranks train on CPUs.
    """

    def __init__(
        self,
        replica: Replica,
        events: EventWriter | None = None,
        *,
        trace_path: Path | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self._replica, self._events, self._sampler = replica, events, sampler
        self._trace_path, self._timeline = trace_path, self._timeline_of(set(), Path())
        self._first_steps: FirstStepsRecorder | None = None

    def epoch(self, index: int, attempt: int) -> Epoch | None:
        """Train epoch ``index`` (from 0), and evaluate the mean of the ranks' models. Collective.

        Args:
            index: The epoch, from 0.
            attempt: The number of the attempt to train the cell, from 1; it is part of the record.

        Returns:
            The record of the epoch on rank 0, None on other ranks.

        Raises:
            NonFiniteError: If a gradient or a loss is not finite.
            LinkError: If a network interface carried fewer bytes than the payload.
        """
        replica = self._replica
        batches = replica.batches.of_epoch(index)
        self._begin_timeline(index)
        self._first_steps = FirstStepsRecorder(replica, batches) if index == 0 else None
        replica.heartbeat()
        replica.link.shape()
        with collective_cleanup(replica.link.unshape):
            measurement = self._train_sampled(batches, index)
        ranks = [measurement] * dist.get_world_size()
        dist.all_gather_object(ranks, measurement)
        check_wire_bytes(ranks, replica.cell.backend)
        problem = self._timeline.epoch_ended((index + 1) * len(batches) - 1)
        if problem is not None and self._events is not None:
            self._events.notice(problem)
        evaluation = self._evaluate(batches[0])
        record = combine_ranks(ranks, evaluation, cell=replica.cell.id, attempt=attempt, epoch=index + 1)
        kinds = self._count_kinds(index, len(batches))
        samples = dist.get_world_size() * sum(map(len, batches))
        record = dataclasses.replace(record, step_kinds=kinds, samples=samples, tokens=self._count_tokens(samples))
        record = dataclasses.replace(record, optimizer_bytes=replica.optimizer.state_bytes() or None)
        if self._first_steps is not None:
            record = dataclasses.replace(record, first_steps=self._first_steps.read())
        if replica.cell.timing == "trajectory":
            record = untimed(record)
        return record if dist.get_rank() == 0 else None

    def _count_kinds(self, index: int, num_steps: int) -> dict[str, int]:
        kind = self._replica.algorithm.step_kind
        return dict(Counter(map(kind, range(index * num_steps, (index + 1) * num_steps))))

    def _count_tokens(self, samples: int) -> int | None:
        """Return the number of tokens in ``samples`` samples; None for a model that is not a language model."""
        per_example = self._replica.task.train.tokens_per_example
        return None if per_example is None else per_example * samples

    def _begin_timeline(self, index: int) -> None:
        if self._trace_path is not None:
            steps_per_epoch = self._replica.steps_per_epoch
            first, last = index * steps_per_epoch, self._replica.cell.task.epochs * steps_per_epoch
            algorithm = self._replica.algorithm
            steps = traced_steps(algorithm.step_kind, first, last, overlapped=algorithm.overlapped_steps)
            self._timeline = self._timeline_of(steps, self._trace_path)
            self._trace_path = None

    def _timeline_of(self, steps: set[int], path: Path) -> Timeline:
        algorithm = self._replica.algorithm
        return Timeline(algorithm.tracer, algorithm.complete_spans, steps, path)

    def _train_sampled(self, batches: list[Tensor], epoch: int) -> RankMeasurement:
        if self._sampler is None:
            return self._train(batches, epoch)
        self._sampler.begin()
        measurement = self._train(batches, epoch)
        return dataclasses.replace(measurement, gpu=(self._sampler.end(),))

    def _train(self, batches: list[Tensor], epoch: int) -> RankMeasurement:
        replica = self._replica
        warmup_steps = replica.cell.task.warmup_steps - epoch * len(batches)
        clock = start_clock(replica)
        rng = replica.batches.augmentation_rng(epoch)
        for step, batch in enumerate(batches):
            replica.set_learning_rate(epoch * len(batches) + step)
            self._timeline.step_begins(epoch * len(batches) + step)
            loss = replica.step(batch, rng, clock)
            self._timeline.step_ended(epoch * len(batches) + step)
            if self._first_steps is not None:
                self._first_steps.step_ended(loss)
            if step < warmup_steps:
                clock.restart_times()
            if self._events is not None:
                self._events.progress(replica.cell.id, epoch + 1, step + 1, len(batches), loss)
        return clock.read()

    def _evaluate(self, batch: Tensor) -> Evaluation:
        replica = self._replica
        replica.heartbeat()
        spread = divergence(replica.model)
        with replica.algorithm.evaluation():
            test_loss, test_accuracy = evaluate_mean_model(replica)
        replica.heartbeat()
        error, norm = compression_error(replica, batch), replica.algorithm.residual_norm()
        return Evaluation(
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            divergence=spread,
            compression_error=mean_over_ranks(error),
            residual_norm=norm_over_ranks(norm),
        )
