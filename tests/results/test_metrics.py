import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from liecbench.errors import LiecbenchError
from liecbench.report import csv_rows, html, json_rows, markdown, terminal
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS, check_names
from liecbench.results.statistics import Estimate
from liecbench.results.units import BYTES
from tests.ledgers import comparison_of, run_of


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("test_accuracy", 0.98765, "98.8%"),
        ("speedup", 1.5, "1.50× ±?"),
        ("bytes_ratio", 31.84, "31.8×"),
        ("payload_bytes_per_epoch", 999.0, "999 B"),
        ("payload_bytes_per_epoch", 1000.0, "1 kB"),
        ("wire_bytes_per_epoch", 1_234_000.0, "1.23 MB"),
        ("bytes_to_target", 5.0e9, "5 GB"),
        ("seconds_per_epoch", 0.12345, "0.123"),
        ("seconds_to_target", 123.4, "123"),
        ("seconds_per_epoch", 12345.0, "12345"),
        ("payload_bytes_per_epoch", 999_900.0, "1 MB"),
        ("joules_per_epoch", 12345.0, "12345"),
        ("gpu_utilisation", 0.876, "87.6%"),
        ("gpu_peak_memory_bytes", 2.5e9, "2.5 GB"),
        ("power_watts", 412.3, "412"),
        ("throttled_share", 0.05, "5.0%"),
        ("throttled_hw_thermal_share", 0.0, "0.0%"),
        ("sm_clock_hertz", 1.41e9, "1.41 GHz"),
        ("nvlink_sent_bytes_per_epoch", 2.5e9, "2.5 GB"),
    ],
)
def test_values_are_written_with_their_unit(name: str, value: float, expected: str) -> None:
    actual = METRICS[name].text(Estimate(mean=value, low=None, high=None))

    assert expected == actual


def test_an_unknown_value_is_a_dash() -> None:
    actual = METRICS["speedup"].text(None)

    assert actual == "–"


def test_an_unknown_metric_suggests_the_nearest() -> None:
    with pytest.raises(LiecbenchError) as raised:
        check_names(["speedups"])

    assert str(raised.value) == "--metric speedups: there is no such metric; did you mean speedup?"


@pytest.mark.parametrize(
    ("name", "means", "expected"),
    [
        ("memory_bytes", [0.0, 400.0], True),
        ("memory_bytes", [400.0, None, 400.0], False),
        ("memory_bytes", [None], False),
        ("peak_memory_bytes", [100.0, 109.0], False),
        ("peak_memory_bytes", [100.0, 111.0], True),
        ("compute_seconds_per_epoch", [1.0, 9.0], False),
    ],
)
def test_memory_is_shown_if_rows_differ(name: str, means: list[float | None], expected: bool) -> None:
    values = [None if mean is None else Estimate(mean=mean, low=None, high=None) for mean in means]

    assert expected == METRICS[name].differs(values)


def test_headings_tell_metrics_apart() -> None:
    headings = [metric.heading for metric in METRICS.values()]

    assert len(set(headings)) == len(headings)


def test_every_metric_is_derived_or_compares() -> None:
    assert [m.name for m in METRICS.values() if (m.derive is None) == (m.compare is None)] == []


def test_a_metric_is_exported_with_one_that_exists() -> None:
    assert {m.exported_with for m in METRICS.values()} - {None} <= METRICS.keys()


def test_one_row_adds_a_metric_to_every_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Epochs of 22 steps in which each of two ranks sends and receives 2200 bytes."""
    metric = Metric(
        name="payload_bytes_per_step",
        heading="payload/step",
        unit=BYTES,
        derive=lambda cell: cell.epochs[-1].payload_bytes_per_rank / cell.epochs[-1].steps,
        shown="wide",
    )
    monkeypatch.setitem(METRICS, metric.name, metric)
    run = run_of("a", [{"payload": (2200, 2200)}])
    asked = comparison_of(run, metrics=[metric.name], directories=[tmp_path])
    usual = comparison_of(run, directories=[tmp_path])
    console = Console(file=io.StringIO(), width=200)
    console.print(terminal.render(asked))
    assert isinstance(console.file, io.StringIO)
    line = console.file.getvalue().splitlines()[2].rstrip()

    expected = {"mean": 200.0, "low": None, "high": None}
    assert line == "ddp *             200 B"
    assert "| algorithm | payload/step |\n| --- | ---: |\n| ddp * | 200 B |\n" in markdown.render(asked)
    assert expected == json.loads(json_rows.render(usual))["rows"][0]["payload_bytes_per_step"]
    assert next(csv.DictReader(io.StringIO(csv_rows.render(usual))))["payload_bytes_per_step"] == "200.0"
    assert 'data-value="200.0">200 B</td>' in html.render(usual)


def test_short_headings_have_a_meaning_and_plain_ones_none() -> None:
    found = {metric.heading: bool(metric.meaning) for metric in METRICS.values()}

    assert (found["exposed"], found["bytes÷"], found["accuracy Δ"], found["train loss"]) == (True, True, True, False)
