"""Where an epoch's time goes."""

from typing import Final

from liecbench.results.comparison import Row

PARTS: Final = ("computing", "compressing", "waiting for the network")


PART_SECONDS: Final = ("compute", "exposed", "compress", "communicate")


def time_parts(row: Row) -> tuple[float, float, float]:
    """Seconds an epoch of computing, and exposed ones of compressing and of communicating."""
    return divided(*(_mean(row, name) for name in PART_SECONDS))


def divided(compute: float, exposed: float, compress: float, communicate: float) -> tuple[float, float, float]:
    """The parts of an epoch: exposed seconds in proportion to those of compressing and communicating."""
    share = compress / (compress + communicate) if compress + communicate else 0.0
    return compute, exposed * share, exposed * (1 - share)


def _mean(row: Row, name: str) -> float:
    estimate = row.metrics[f"{name}_seconds_per_epoch"]
    return 0.0 if estimate is None else estimate.mean


def shares(parts: tuple[float, float, float]) -> tuple[float, ...]:
    """Each part as a fraction of all; zeros where there is nothing."""
    total = sum(parts)
    return tuple(part / total if total else 0.0 for part in parts)


def hidden(row: Row) -> float:
    """The fraction of compression and communication that computing hides, 0 to 1."""
    _, exposed, compress, communicate = (_mean(row, name) for name in PART_SECONDS)
    busy = compress + communicate
    return min(1.0, max(0.0, 1 - exposed / busy)) if busy else 0.0
