"""A burst of replayed steps of one kind, measured like a burst of trained steps."""

import dataclasses
import time
from collections.abc import Callable

import torch.distributed as dist

from liecbench.algorithms.comm.timing import Counters
from liecbench.host.cpu_load import CpuLoad
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes
from liecbench.worker.replay.gathered import gathered
from liecbench.worker.replay.replayed_step import ReplayedStep, StepTimes
from liecbench.worker.replica import TrainingLink
from liecbench.worker.step_clock import difference, peak_memory_bytes
from liecbench.worker.step_timing import Burst

# A pickled measurement has 430 bytes with two steps, and 9 more for each further step.
_MEASUREMENT_BYTES, _STEP_BYTES = 1024, 16


def replay_burst(
    step: ReplayedStep, num_steps: int, link: TrainingLink, heartbeat: Callable[[], None], divisor: int
) -> Burst:
    """Replay ``step`` once without timing it, and then ``num_steps`` times with timing. Collective.

    The dilation, ``step.pauses.dilation``, is the factor by which the replay runs more slowly than the emulated
    training. Limit the links before the call: with dilation 4 and ``divisor`` 8, an emulated link of 8 Gbit/s with
    1 ms delay gets 8 ÷ (4 · 8) = 0.25 Gbit/s and 4 · 1 = 4 ms. The untimed step empties the links' token buckets.

    Args:
        step: The step.
        num_steps: Number of timed steps.
        link: This rank's link.
        heartbeat: Called after each step to signal that this rank makes progress.
        divisor: The factor by which the sent messages are smaller than the messages of ``step.schedule``.

    Returns:
        The measurements of all ranks, equal on every rank. CPU seconds are real seconds; all other measured seconds are
        real seconds ÷ dilation. Payload bytes are those of the schedule's messages. Wire bytes are the bytes that the
        network interface counted, times ``divisor``.

    Raises:
        LinkError: If a network interface carried fewer bytes than the payload.
    """
    watch = step.watch
    watch.exposure.rates = link.rates()
    dist.barrier()  # no peer sends before every rank has read its counters
    first, wire_before, cpu_before = dataclasses.replace(watch.counters), link.wire_bytes(), time.process_time()
    machine_before, emulator_before = CpuLoad.now(), link.emulator_cpu_seconds()
    step.run()
    heartbeat()
    times, exposed_before = dataclasses.replace(watch.counters), dataclasses.replace(watch.exposure.totals)
    late_before = step.pauses.late_seconds
    timed: list[StepTimes] = []
    for _ in range(num_steps):
        timed.append(step.run())
        heartbeat()
    dist.barrier()
    dilation, now, exposed = step.pauses.dilation, watch.counters, watch.exposure.totals.since(exposed_before)
    sent_bytes, received_bytes = now.sent_bytes - first.sent_bytes, now.received_bytes - first.received_bytes
    if divisor > 1:
        planned = step.schedule.payload_bytes()[dist.get_rank()]
        sent_bytes, received_bytes = (one * (1 + num_steps) for one in planned)
    wire = difference(link.wire_bytes(), wire_before)
    used, available = CpuLoad.now().cpu_seconds(machine_before)
    own = RankMeasurement(
        mean_loss=0.0,
        num_steps=1 + num_steps,
        train_seconds=sum(one.seconds for one in timed) / dilation,
        data_seconds=0.0,
        step_seconds=[one.seconds / dilation for one in timed],
        compute_seconds=num_steps * step.work.compute,
        exposed_seconds=sum(one.exposed_seconds for one in timed) / dilation,
        exposed_compress_seconds=exposed.compress_seconds / dilation,
        exposed_communicate_seconds=exposed.communicate_seconds / dilation,
        link_seconds=None if watch.exposure.rates is None else exposed.link_seconds / dilation,
        counters=Counters(
            sent_bytes=sent_bytes,
            received_bytes=received_bytes,
            sent_messages=now.sent_messages - first.sent_messages,
            compress_seconds=(now.compress_seconds - times.compress_seconds) / dilation,
            communicate_seconds=(now.communicate_seconds - times.communicate_seconds) / dilation,
        ),
        wire_bytes=None if wire is None else (wire[0] * divisor, wire[1] * divisor),
        cpu_seconds=time.process_time() - cpu_before,
        machine_cpu_seconds=(used - (link.emulator_cpu_seconds() - emulator_before), available),
        peak_memory_bytes=peak_memory_bytes(),
        memory_bytes=0,
        late_seconds=(step.pauses.late_seconds - late_before) / dilation,
    )
    everyone = gathered(own, at_most_bytes=_MEASUREMENT_BYTES + num_steps * _STEP_BYTES)
    check_wire_bytes(everyone, "gloo")
    return Burst(ranks=everyone, thread_seconds=[one.compute_seconds for one in everyone])
