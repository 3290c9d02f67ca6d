"""The cells (training runs) that are left to run.

Some of these cells are trained. Of others only steps are timed, and the times are composed with the losses and
accuracies of another cell, which differs only in the values of its shaped links.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from liecbench.config.cell import Cell, Job
from liecbench.network.link_map import LinkMap
from liecbench.results.cells import CellResult


def jobs_left(cells: Sequence[Cell], done: Mapping[str, CellResult]) -> list[Job]:
    """Return a job for each cell that has neither completed nor diverged, so that a failed cell is tried again.

    Jobs that only time steps come last, because the cells that their timings are composed with must be trained first.

    Args:
        cells: The cells to run.
        done: What the results directory holds of each cell, by the cell's id.
    """
    keys = {cell.id: _trajectory_key(cell.spec()) for cell in cells if cell.timing == "composed"}
    trajectories = _trajectories(cells, keys, done.values())
    jobs = []
    for cell in cells:
        found = done.get(cell.id)
        if found is None or not found.is_final:
            trained = trajectories[keys[cell.id]] if cell.id in keys else cell.id
            job = Job(
                cell=cell,
                attempt=found.attempt + 1 if found else 1,
                epochs_done=len(found.epochs) if found else 0,
                data_sha256=found.environment.get("data_sha256") if found else None,
                trajectory=None if trained == cell.id else trained,
            )
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.trajectory is not None)


def _trajectories(cells: Iterable[Cell], keys: Mapping[str, str], done: Iterable[CellResult]) -> dict[str, str]:
    """Return, for each trajectory key, the id of the cell that is trained for all cells with this key.

    Preferred are, in this order: a cell that is finished, one that has not failed, the one with the most trained
    epochs, the one with the fastest link. A cell that is not in ``cells`` is considered only if it is finished.
    """
    candidates: dict[str, dict[str, tuple[object, ...]]] = {}
    for result in done:
        failed = result.status == "failed"
        composed = any(epoch.composed for epoch in result.epochs)
        if result.spec["timing"] == "composed" and not composed and (result.is_final or result.id in keys):
            rank = (result.is_final, not failed, len(result.epochs), _speed(LinkMap.parse(result.spec["link"])))
            key = keys.get(result.id) or _trajectory_key(result.spec)
            candidates.setdefault(key, {})[result.id] = rank
    for cell in cells:
        if cell.id in keys:
            candidates.setdefault(keys[cell.id], {}).setdefault(cell.id, (False, True, 0, _speed(cell.link)))
    return {key: max(ranks, key=lambda cell: ranks[cell]) for key, ranks in candidates.items()}


def _speed(link: LinkMap) -> tuple[float, ...]:
    return link.speed if link.shaped else ()


def _trajectory_key(spec: Mapping[str, Any]) -> str:
    """Return a key of all fields but the values of shaped links; cells with equal keys train to equal losses."""
    link = LinkMap.parse(spec["link"])
    rest = {name: value for name, value in spec.items() if name != "link"}
    return json.dumps([rest, link.shaped, link.host], sort_keys=True)
