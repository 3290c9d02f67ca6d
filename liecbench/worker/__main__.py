"""A rank that trains the cells of a launch."""

from liecbench.worker import rank


def _training() -> rank.Body:
    from liecbench.worker.session import run_plan

    return run_plan


if __name__ == "__main__":
    rank.run(_training)
