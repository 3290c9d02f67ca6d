"""A rank that trains the cells of a launch."""

from liecbench.worker import entry


def _training() -> entry.Body:
    from liecbench.worker.loop import run_plan

    return run_plan


if __name__ == "__main__":
    entry.run(_training)
