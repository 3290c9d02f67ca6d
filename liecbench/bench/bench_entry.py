"""A rank of a benchmark."""

from liecbench.worker import entry


def _measuring() -> entry.Body:
    from liecbench.bench.bench_loop import run_plan

    return run_plan


if __name__ == "__main__":
    entry.run(_measuring)
