"""A slow and a fast training, and the metrics of their rows."""

from liecbench.results.rows import Row

SLOW = [
    {"seconds": 4.0, "accuracy": 0.5, "payload": (300, 500)},
    {"seconds": 6.0, "accuracy": 0.9, "payload": (300, 500)},
]

FAST = [
    {"seconds": 1.0, "accuracy": 0.4, "payload": (100, 60)},
    {"seconds": 1.5, "accuracy": 0.8, "payload": (100, 60)},
]


def means(row: Row) -> dict[str, float | None]:
    return {name: None if value is None else value.mean for name, value in row.metrics.items()}
