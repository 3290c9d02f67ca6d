"""Results for MLflow: a SQLite database with one run per cell."""

import logging
from pathlib import Path
from typing import Final

import sqlalchemy  # noqa: F401 - MLflow's database needs it, and would fail less clearly
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from liecbench.export.exported_cell import ExportedCell, exported_cells
from liecbench.results.comparison import Comparison

_STATUS: Final = {"completed": "FINISHED", "unfinished": "RUNNING"}
# MLflow refuses larger batches.
_MOST_METRICS: Final = 1000
_MOST_PARAMS: Final = 100


def write(comparison: Comparison, directory: Path) -> str:
    """Write one run per cell to ``mlflow.db``; return the command that shows them."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = f"sqlite:///{directory.resolve() / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("liecbench", artifact_location=(directory.resolve() / "artifacts").as_uri())
    for cell in exported_cells(comparison):
        run = client.create_run(experiment, run_name=cell.name, tags={"cell": cell.id, "status": cell.status})
        params = [Param(name, str(value)) for name, value in cell.fields.items()]
        metrics = _metrics(cell)
        for start in range(0, len(params), _MOST_PARAMS):
            client.log_batch(run.info.run_id, params=params[start : start + _MOST_PARAMS])
        for start in range(0, len(metrics), _MOST_METRICS):
            client.log_batch(run.info.run_id, metrics=metrics[start : start + _MOST_METRICS])
        client.set_terminated(run.info.run_id, status=_STATUS.get(cell.status, "FAILED"))
    return f"mlflow ui --backend-store-uri {uri}"


def _metrics(cell: ExportedCell) -> list[Metric]:
    last = max(cell.epochs, default=0)
    return [
        *(Metric(name, value, 0, epoch) for epoch, values in cell.epochs.items() for name, value in values.items()),
        *(Metric(f"final/{name}", value, 0, last) for name, value in cell.metrics.items()),
    ]
