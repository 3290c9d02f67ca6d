"""One cell on one rank: build it, train an epoch on the shaped link, evaluate the mean model, account for it."""

import contextlib
import copy
import dataclasses
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch._dynamo  # or else the first cell's optimizer imports it for seconds, and step_timeout runs
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import NonFiniteError
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.config import workload
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.results.records import Epoch
from liecbench.worker import measure
from liecbench.worker.batches import Batch, Batches
from liecbench.worker.collective_errors import afterwards, agree_on_data
from liecbench.worker.device import random_states, rank_device, release_memory, set_random_states
from liecbench.worker.evaluation import divergence, evaluate
from liecbench.worker.event_writer import Voice
from liecbench.worker.gpu_telemetry import Sampler
from liecbench.worker.learning_rate import learning_rate
from liecbench.worker.timeline import Timeline, traced_steps

_WHOLE_BUCKET_MIB = 1 << 20


class Link(Protocol):
    """What training needs of a rank's link."""

    def shape(self) -> None:
        """Hold every rank to its rates."""

    def lift(self) -> None:
        """Let every rank run free."""

    @property
    def pacer(self) -> Pacer | None:
        """Who paces the exchange, where the kernel does not."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Bytes sent and received so far."""


class Training:
    """Model, optimizer and algorithm of a cell; every method is collective.

    ``data`` is the hash of what the cell was trained on before; DataError where that, or another rank's, is not it.
    ``trace`` is the file for a timeline of a few of the steps that are trained here, ``sampler`` watches this machine's
    GPUs while an epoch trains.
    """

    def __init__(
        self,
        cell: Cell,
        link: Link,
        voice: Voice | None,
        data: str | None = None,
        trace: Path | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self.cell, self._link, self._voice, self._sampler = cell, link, voice, sampler
        self._rank, self._world_size = dist.get_rank(), dist.get_world_size()
        release_memory(rank_device(cell.device))  # of the cell before: hooks and optimizers hold each other
        workload.load(cell.task)  # before the seed, which is the model's
        workload.seed(cell.seed)
        self._task = workload.build(cell.task)
        own_data = workload.data_sha256(cell.task) or workload.sha256(self._task.train, self._task.test)
        agree_on_data(cell.task.dataset.name, own_data, data)
        self.device = rank_device(cell.device)
        self.model = self._task.model.to(self.device)
        task = cell.task
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=task.learning_rate,
            momentum=task.momentum,
            weight_decay=task.weight_decay,
        )
        bucket_mib = _WHOLE_BUCKET_MIB if cell.block_bytes == "whole" else cell.block_bytes / 2**20
        self._ddp = DistributedDataParallel(self.model, bucket_cap_mb=bucket_mib, gradient_as_bucket_view=True)
        self.algorithm = make_algorithm(cell)
        self.algorithm.pacer = link.pacer
        self.batches = Batches(cell, self._task.train, self.algorithm, self.device)
        self._settle_buckets()
        self.algorithm.attach(self._ddp, self.optimizer)
        torch.manual_seed(int(np.random.SeedSequence([cell.seed, self._rank]).generate_state(1)[0]))
        self._trace, self._timeline = trace, self._timeline_of(set(), Path())
        if self.device.type == "cuda":
            try:
                self.rehearse()
            except NonFiniteError:
                self.close()
                raise
        measure.reset_peak_memory()

    def close(self) -> None:
        """End the algorithm's thread and group."""
        self.algorithm.close()

    def rehearse(self) -> None:
        """Train a step of each kind and forget it: a GPU's kernels are compiled then, and NCCL has all connections."""
        before = copy.deepcopy(self.state_dict())
        last = self.steps_per_epoch * self.cell.task.epochs
        for step in {self.algorithm.step_kind(step): step for step in reversed(range(last))}.values():
            self.time_steps(step, 0)
        self.optimizer.zero_grad()
        self.load_state_dict(before)
        del before
        release_memory(self.device)

    def state_dict(self) -> dict[str, Any]:
        """What this rank's training goes on from, between two steps."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": self.algorithm.state_dict(),
            "random": random_states(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.load_state_dict(state["algorithm"])
        set_random_states(state["random"], self.device)

    @property
    def steps_per_epoch(self) -> int:
        """Steps that an epoch has."""
        return self.batches.steps_per_epoch

    def epoch(self, index: int, attempt: int) -> Epoch | None:
        """Train epoch ``index`` (from 0) and evaluate; the record on rank 0. NonFiniteError where it diverged.

        LinkError where the bytes on the wire do not show the payload.
        """
        self._set_learning_rate(index)
        batches = self.batches.of_epoch(index)
        self._begin_timeline(index)
        self._alive()
        self._link.shape()
        with afterwards(self._link.lift):
            sample = self._watched(batches, index)
        everyone: list[measure.RankEpoch | None] = [None] * self._world_size
        dist.all_gather_object(everyone, sample)
        ranks = [rank for rank in everyone if rank is not None]
        measure.check_wire(ranks, self.cell.backend)
        problem = self._timeline.epoch_ended((index + 1) * len(batches) - 1)
        if problem is not None and self._voice is not None:
            self._voice.notice(problem)
        self._alive()
        spread = divergence(self.model)
        with self.algorithm.evaluation():
            test_loss, test_accuracy = evaluate(self._task, self.device, self._alive)
        self._alive()
        error, norm = self._compression_error(batches[0]), self.algorithm.residual_norm()
        totals = measure.Totals(
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            divergence=spread,
            compression_error=measure.mean_over_ranks(error),
            residual_norm=measure.root_sum_square_over_ranks(norm),
        )
        record = measure.combine(ranks, totals, cell=self.cell.id, attempt=attempt, epoch=index + 1)
        return record if self._rank == 0 else None

    def _begin_timeline(self, index: int) -> None:
        if self._trace is not None:
            first, last = index * self.steps_per_epoch, self.cell.task.epochs * self.steps_per_epoch
            steps = traced_steps(self.algorithm.step_kind, first, last)
            self._timeline = self._timeline_of(steps, self._trace)
            self._trace = None

    def _timeline_of(self, steps: set[int], path: Path) -> Timeline:
        return Timeline(self.algorithm.tracer, self.algorithm.synchronize, steps, path)

    def _watched(self, batches: list[Tensor], epoch: int) -> measure.RankEpoch:
        if self._sampler is None:
            return self._train_on(batches, epoch)
        self._sampler.begin()
        sample = self._train_on(batches, epoch)
        return dataclasses.replace(sample, gpu=(self._sampler.end(),))

    def _train_on(self, batches: list[Tensor], epoch: int) -> measure.RankEpoch:
        warmup = self.cell.task.warmup_steps - epoch * len(batches)
        clock = self._start_clock()
        random = self.batches.random(epoch)
        for step, batch in enumerate(batches):
            self._timeline.step_begins(epoch * len(batches) + step)
            loss = self._step(batch, random, clock)
            self._timeline.step_ended(epoch * len(batches) + step)
            if step < warmup:
                clock.restart_times()
            if self._voice is not None:
                self._voice.progress(self.cell.id, epoch + 1, step + 1, len(batches), loss)
        return clock.read()

    def time_steps(self, first: int, num_steps: int) -> measure.RankEpoch:
        """Train as if each step were number ``first``, one step and then ``num_steps`` timed ones.

        On a link that is not shaped the times mean nothing. What was trained so is of no use for anything else.
        """
        batches, random = self.batches.of_epoch(0), self.batches.random(0)
        clock = self._start_clock()
        for number in range(num_steps + 1):
            self.algorithm.set_step(first)
            self._step(batches[number % len(batches)], random, clock)
            self._alive()
            if number == 0:
                clock.restart_times()  # an idle link's bucket is full
        return clock.read()

    def burst(self, first: int, num_steps: int) -> tuple[measure.RankEpoch, float | None]:
        """Train step number ``first``, whose time does not count, and ``num_steps`` more; the link must be shaped.

        With it the CPU seconds of this thread in the steps that count, None where a GPU computes. Past the last epoch
        it goes on as in that one.
        """
        numbers = range(first, first + num_steps + 1)
        batches = {
            epoch: self.batches.of_epoch(epoch) for epoch in {number // self.steps_per_epoch for number in numbers}
        }
        random = self.batches.random(first)
        clock = self._start_clock()
        began = time.thread_time()
        for number in numbers:
            epoch, step = divmod(number, self.steps_per_epoch)
            self._set_learning_rate(min(epoch, self.cell.task.epochs - 1))
            self._step(batches[epoch][step], random, clock)
            self._alive()
            if number == first:
                clock.restart_times()
                began = time.thread_time()
        thread_seconds = time.thread_time() - began
        return clock.read(), thread_seconds if self.device.type == "cpu" else None

    def _alive(self) -> None:
        if self._voice is not None:
            self._voice.alive()

    def _start_clock(self) -> measure.StepClock:
        clock = measure.StepClock(self.algorithm, self._link)
        dist.barrier()  # no peer sends before every rank has read its counters
        clock.restart_times()
        return clock

    def _step(self, batch: Tensor, random: np.random.Generator, clock: measure.StepClock) -> Tensor:
        clock.loading_begins()
        minibatches = self.batches.minibatches(batch, random)
        clock.step_begins()
        self.optimizer.zero_grad()
        loss = self._backward(minibatches)
        clock.backward_returned()
        self.optimizer.step()
        clock.step_ended(loss)
        return loss

    def _backward(self, minibatches: list[Batch]) -> Tensor:
        """Accumulate the gradient of a step's minibatches, synchronised with the last; their mean loss."""
        total = torch.zeros((), device=self.device)
        for number, minibatch in enumerate(minibatches, start=1):
            with contextlib.nullcontext() if number == len(minibatches) else self._ddp.no_sync():
                loss = self._loss(self._ddp, minibatch) / len(minibatches)
                loss.backward()
            total += loss.detach()
        return total

    def _loss(self, model: nn.Module, batch: Batch) -> Tensor:
        inputs, labels = batch
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cell.task.precision == "bf16"):
            return self._task.loss(model(inputs), labels)

    def _set_learning_rate(self, epoch: int) -> None:
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate(self.cell.task, epoch)

    def _settle_buckets(self) -> None:
        """One uncounted pass, after which DDP's buckets are final; model and random state end as they were."""
        state = {name: value.clone() for name, value in self.model.state_dict().items()}
        states = random_states(self.device)
        batch = self.batches.untrained(self.batches.of_epoch(0)[0])
        for _ in range(2):  # buckets are rebuilt when the second pass begins
            self._loss(self._ddp, batch).backward()
            self._alive()
        self.optimizer.zero_grad()
        self.model.load_state_dict(state)
        set_random_states(states, self.device)

    def _compression_error(self, batch: Tensor) -> float | None:
        """From a pass that trains nothing and sends nothing."""
        state = {name: value.clone() for name, value in self.model.named_buffers()}
        states = random_states(self.device)
        self.optimizer.zero_grad()  # the last update stands there
        # Past DistributedDataParallel, whose hooks wait for its own forward.
        self._loss(self.model, self.batches.untrained(batch)).backward()
        error = self.algorithm.compression_error()
        self.optimizer.zero_grad()
        for name, buffer in self.model.named_buffers():
            buffer.copy_(state[name])
        set_random_states(states, self.device)
        return error
