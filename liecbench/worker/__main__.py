"""The program of each rank that torchrun starts for ``liecbench run``: train cells, and time their steps.

A cell is one configuration with one seed.
"""

from liecbench.launch.plans import TrainingPlan
from liecbench.worker import entry


def _import_body() -> entry.Body[TrainingPlan]:
    from liecbench.worker.loop import run_plan

    return run_plan


if __name__ == "__main__":
    entry.run(TrainingPlan, _import_body)
