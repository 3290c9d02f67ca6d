"""Measurements of ranks for tests."""

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.rank_measurement import RankMeasurement


def measurement(seconds: list[float], *, share: float = 0.5, wire: tuple[int, int] | None = None) -> RankMeasurement:
    """Return steps of these seconds after an untimed one; a ``share`` of their time is exposed communication."""
    total = sum(seconds)
    return RankMeasurement(
        mean_loss=1.0,
        num_steps=len(seconds) + 1,
        train_seconds=total,
        data_seconds=0.5 * total,
        step_seconds=seconds,
        compute_seconds=0.4 * total,
        exposed_seconds=share * total,
        exposed_compress_seconds=0.1 * total,
        exposed_communicate_seconds=0.2 * total,
        link_seconds=0.1 * total,
        counters=Counters(compress_seconds=0.1 * total, communicate_seconds=0.2 * total),
        wire_bytes=wire,
        cpu_seconds=(len(seconds) + 1) * 0.5,
        machine_cpu_seconds=(total, 2 * total),
        peak_memory_bytes=len(seconds),
        memory_bytes=8,
    )
