"""The program that each rank of a benchmark runs: it measures the cases of a ``BenchmarkPlan``."""

from liecbench.launch.plans import BenchmarkPlan
from liecbench.worker import entry


def _import_body() -> entry.Body[BenchmarkPlan]:
    from liecbench.bench.bench_loop import run_plan

    return run_plan


if __name__ == "__main__":
    entry.run(BenchmarkPlan, _import_body)
