import dataclasses
from typing import Any

import pytest

from liecbench.report.table_texts import caption
from liecbench.results.cell_metrics import derive_metrics
from liecbench.results.completed_cell import CompletedCell
from liecbench.results.environment_record import Environment
from liecbench.results.gpu_metrics import throttling_warnings
from liecbench.results.metrics import METRICS
from liecbench.results.record_json import from_json, to_json
from liecbench.results.records import Record, Start
from liecbench.results.rows import Row
from tests.ledgers import cells_of, comparison_of, end, epoch, rows_of, run_of, start

GPU_METRICS = [metric.name for metric in METRICS.values() if metric.of_gpus]
REASON_METRICS = [metric.name for metric in METRICS.values() if metric.zero_is_missing]

FIGURES = [
    {
        "energy_joules": 100.0,
        "power_watts": 50.0,
        "utilisation": 0.25,
        "peak_memory_bytes": 5e9,
        "throttled_share": 0.0,
    },
    {
        "energy_joules": 300.0,
        "power_watts": 70.0,
        "utilisation": 0.75,
        "peak_memory_bytes": 4e9,
        "throttled_share": 0.1,
    },
    {
        "energy_joules": 500.0,
        "power_watts": 60.0,
        "utilisation": 0.5,
        "peak_memory_bytes": 3e9,
        "throttled_share": 0.02,
    },
]


def epochs_of(figures: list[Any], *accuracies: float) -> list[dict[str, Any]]:
    given = accuracies or (0.5,) * len(figures)
    return [{"gpu": gpu, "accuracy": accuracy} for gpu, accuracy in zip(figures, given, strict=True)]


def row_of(*runs: list[Record], target: float | None = None) -> Row:
    (row,) = rows_of(*runs, target_accuracy=target)
    return row


def metrics_of(row: Row) -> dict[str, float | None]:
    return {name: None if (value := row.metrics[name]) is None else value.mean for name in GPU_METRICS}


def test_a_row_is_computed_as_by_hand() -> None:
    actual = metrics_of(row_of(run_of("a", epochs_of(FIGURES, 0.4, 0.8, 0.9)), target=0.8))

    assert actual == {
        **dict.fromkeys(GPU_METRICS),
        **dict.fromkeys(REASON_METRICS, 0.0),
        "joules_per_epoch": 300.0,
        "joules_to_target": 400.0,
        "gpu_utilisation": 0.5,
        "gpu_peak_memory_bytes": 5e9,
        "power_watts": 60.0,
        "throttled_share": pytest.approx(0.04),
    }


def test_bytes_clocks_and_reasons_are_means_over_epochs_and_seeds() -> None:
    held = {"throttled_share": 0.5, "throttled_hw_thermal_share": 0.5, "pcie_sent_bytes": 6e9, "sm_clock_hertz": 1e9}
    free = {"throttled_share": 0.0, "pcie_sent_bytes": 2e9, "sm_clock_hertz": 2e9}
    actual = metrics_of(row_of(run_of("a", epochs_of([held, free])), run_of("b", epochs_of([free, free]), seed=1)))

    assert {name: value for name, value in actual.items() if value} == {
        "throttled_share": 0.125,
        "throttled_hw_thermal_share": 0.125,
        "pcie_sent_bytes_per_epoch": 3e9,
        "sm_clock_hertz": 1.75e9,
    }


def test_without_gpus_every_gpu_metric_is_unknown() -> None:
    actual = metrics_of(row_of(run_of("a"), target=0.1))

    assert dict.fromkeys(GPU_METRICS) == actual


def test_epochs_without_gpu_figures_count_in_no_mean_and_leave_sums_unknown() -> None:
    row = row_of(run_of("a", epochs_of([FIGURES[0], None, FIGURES[2]], 0.4, 0.8, 0.9)), target=0.8)

    assert (metrics_of(row)["joules_per_epoch"], metrics_of(row)["joules_to_target"]) == (300.0, None)


def test_a_seed_that_missed_the_target_has_no_energy_to_it() -> None:
    reached, missed = epochs_of(FIGURES, 0.4, 0.8, 0.9), epochs_of(FIGURES, 0.4, 0.5, 0.6)
    row = row_of(run_of("a", reached), run_of("b", missed, seed=1), target=0.8)

    assert (
        row.reached,
        metrics_of(row)["joules_to_target"],
        metrics_of(row)["joules_per_epoch"],
    ) == ("1/2", None, 300.0)


def test_a_target_in_the_first_epoch_costs_its_energy() -> None:
    epochs = [epoch("a", number, gpu=gpu) for number, gpu in enumerate(FIGURES, start=1)]
    (actual,) = derive_metrics([CompletedCell(epochs=epochs, epochs_to_target=1.0)])

    assert actual["joules_to_target"] == 100.0


def test_gpu_figures_survive_the_ledger() -> None:
    record = epoch("a", gpu=FIGURES[0])

    assert record == from_json(to_json(record))


def test_a_warning_names_throttled_cells_and_reasons() -> None:
    often = {"throttled_share": 0.5, "throttled_power_cap_share": 0.25, "throttled_hw_thermal_share": 0.375}
    never = {"throttled_share": 0.0}
    runs = [run_of("a", epochs_of([often, never])), run_of("b", epochs_of([never]), seed=1)]

    # Means of two epochs: 25 %, 12.5 % and 18.75 %.
    assert row_of(*runs).warnings == [
        "its GPUs' clocks were held back in more than 5% of the samples: cell a 25% (hw thermal 19%, power cap 12%)"
    ]


def shared(cell: str, ranks: list[list[int]], seed: int = 0, **nccl: Any) -> list[Record]:
    begun, *rest = run_of(cell, seed=seed)
    assert isinstance(begun, Start)
    environment = {"gpu": {"ranks_per_gpu": ranks}, **({"nccl": nccl} if nccl else {})}
    return [dataclasses.replace(begun, environment=Environment.of(environment)), *rest]


@pytest.mark.parametrize(
    ("ranks", "nccl", "expected"),
    [
        ([[1, 1], [1, 2]], {"shared_gpus": True}, 2),
        ([[1, 1]], {"shared_gpus": True}, None),
        ([[2]], {}, None),
    ],
    ids=["over NCCL", "allowed and not done", "over Gloo"],
)
def test_a_warning_tells_of_ranks_that_shared_a_gpu_over_nccl(
    ranks: Any, nccl: dict[str, Any], expected: int | None
) -> None:
    actual = row_of(shared("a", [[1]]), shared("b", ranks, seed=1, **nccl)).warnings
    text = (
        f"up to {expected} of its ranks shared a GPU over NCCL, which does not support it: its times are an experiment"
    )

    assert actual == ([] if expected is None else [text])


@pytest.mark.parametrize(("ranks", "said"), [([[1, 1], [2, 3]], True), ([[1]], False)])
def test_the_caption_says_how_many_ranks_shared_a_gpu(ranks: list[list[int]], said: bool) -> None:
    text = caption(comparison_of(shared("a", ranks), run_of("b", seed=1)))

    assert text.startswith("2 workers · up to 3 ranks per GPU · " if said else "2 workers · link ")


def test_a_warning_names_three_cells_at_most() -> None:
    runs = [run_of(f"c{seed}", epochs_of([{"throttled_share": 1.0}]), seed=seed) for seed in range(5)]
    (actual,) = throttling_warnings(cells_of(*runs))

    assert actual.endswith("of the samples: cell c0 100%; cell c1 100%; cell c2 100% and 2 more")


@pytest.mark.parametrize(("share", "expected"), [(0.05, 0), (0.051, 1)])
def test_a_few_throttled_samples_cause_no_warning(share: float, expected: int) -> None:
    actual = throttling_warnings(cells_of(run_of("a", epochs_of([{"throttled_share": share}]))))

    assert expected == len(actual)


def test_failed_cells_cause_a_warning_as_well() -> None:
    held = {"throttled_share": 1.0, "throttled_power_cap_share": 1.0}
    failed: list[Record] = [start("f"), epoch("f", gpu=held), end("f", status="failed", error="lost")]

    assert len(throttling_warnings(cells_of(failed))) == 1
