"""A rank of a benchmark."""

from liecbench.worker import rank


def _measuring() -> rank.Body:
    from liecbench.bench.session import run_plan

    return run_plan


if __name__ == "__main__":
    rank.run(_measuring)
