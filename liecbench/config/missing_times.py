"""Check that the profiles of a scenario have the times of every compressor that the cells use."""

import functools
import json
from collections.abc import Iterable, Iterator
from typing import Final

from liecbench.compressors.by_name import description
from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.compute_checks import choice_text
from liecbench.config.factory import make_algorithm
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import Scenario
from liecbench.config.short_lists import listed
from liecbench.config.yaml_source import Key
from liecbench.profiles.profile_store import ProfileFile

# A kind of step that is rarer than this would be found missing during the run.
_TRIED_STEPS: Final = 1000


def check_times(scenario: Scenario, cells: Iterable[tuple[MatrixPoint, Cell]]) -> Iterator[Mistake]:
    """Yield a mistake for each profile without times of compressors that cells use. It names all these compressors.

    Args:
        scenario: The scenario.
        cells: The cells that will run, each with its point of the matrix. Each profile already fits its cell's task.
    """
    missing: dict[tuple[Key, str], dict[str, None]] = {}
    for point, cell in cells:
        path: Key = ("compute",) if cell.is_trained else point.path("profile")
        file = scenario.compute if cell.is_trained else point.value("profile")
        if isinstance(file, ProfileFile):
            used = map(json.loads, _used(cell))
            names = [choice_text(one) for one in used if file.profile.compressor_times(one) is None]
            missing.setdefault((path, file.name), {}).update(dict.fromkeys(names))
    for (path, file_name), lacking in missing.items():
        if lacking:
            noun = "compressor" if len(lacking) == 1 else "compressors"
            message = f"{file_name} has no times of the {noun} {listed(list(lacking))}"
            yield Mistake(path, f"{message}; measure them with `liecbench profile`")


def _used(cell: Cell) -> tuple[str, ...]:
    """Return the compressors that a cell's method uses, each as JSON text with the same fields as in a profile."""
    return _used_by(json.dumps({**cell.spec(), "seed": 0, "link": "none", "workers": 2}))


@functools.cache
def _used_by(spec: str) -> tuple[str, ...]:
    from liecbench.algorithms.comm.schedule import ScheduleError

    cell = Cell.from_spec(json.loads(spec))
    sizes = workload_sizes.sizes(cell.task)
    algorithm = make_algorithm(cell)
    algorithm.parameter_dtypes = sizes.dtypes
    first: dict[str, int] = {}
    for step in (*range(_TRIED_STEPS), algorithm.start_up_steps):
        first.setdefault(algorithm.step_kind(step), step)
    try:
        schedules = [
            algorithm.schedule(sizes.parameters, world_size=cell.workers, step=step) for step in first.values()
        ]
    except ScheduleError:
        return ()  # a run says that the package of the algorithm is broken
    calls = (call for schedule in schedules for call in schedule.calls)
    return tuple(dict.fromkeys(json.dumps(description(call.compressor)) for call in calls))
