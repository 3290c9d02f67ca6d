"""The program of one rank that trains the cells of a launch."""

from liecbench.launch.messages import TrainingPlan
from liecbench.worker import entry


def _import_body() -> entry.Body[TrainingPlan]:
    from liecbench.worker.loop import run_plan

    return run_plan


if __name__ == "__main__":
    entry.run(TrainingPlan, _import_body)
