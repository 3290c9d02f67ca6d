import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from liecbench.errors import LiecbenchError
from liecbench.report import columns, terminal
from liecbench.results.cells import replay
from liecbench.results.comparison import METRICS, Estimate, Row, grouped, summarise
from liecbench.results.records import Record
from tests.ledgers import end, run_of, start

RUNS = [
    run_of("d", [{"seconds": 2.0, "accuracy": 0.9, "payload": (4000, 4000), "wire": (5000, 5000)}]),
    run_of("p", [{"seconds": 0.5, "accuracy": 0.8, "payload": (40, 40), "wire": (100, 100)}], algorithm="psgd"),
]

GPU_RUN = run_of(
    "g", [{"gpu": {"energy_joules": 12_345.0, "utilisation": 0.5}}, {"gpu": {"energy_joules": 555.0}}], algorithm="liec"
)


def rows_of(runs: Sequence[list[Record]]) -> list[Row]:
    return summarise(list(replay(record for run in runs for record in run).values()))


def printed(
    rows: Sequence[Row],
    *,
    width: int = 200,
    metrics: Sequence[str] | None = None,
    by: str = "algorithm",
    styled: bool = False,
) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=styled, color_system="standard" if styled else None
    )
    layout = columns.lay_out(rows, columns.checked_metrics(metrics), baseline="ddp", by="algorithm")
    console.print(terminal.render(rows, layout, by=by, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_table_reads_as_by_hand() -> None:
    lines = [line.rstrip() for line in printed(rows_of(RUNS)).splitlines()]
    rule = lines.pop(1)

    assert (
        [
            "algorithm  accuracy  s/epoch  exposed  payload   wire  bytes÷  speed-up",
            "psgd          80.0%      0.5     0.25     80 B  200 B  100.0×     4.00×",
            "ddp *         90.0%        2        1     8 kB  10 kB   1.00×     1.00×",
            "2 workers · link 20mbit · dataset digits · model mlp · batch size 32 · epochs 2 · learning rate 0.1",
            "* baseline ddp; bytes÷ and speed-up: baseline ÷ row; payload and wire: sent + received a rank an epoch",
        ],
        {"─"},
    ) == (lines, set(rule))


def test_energy_and_use_of_gpus_have_columns_where_a_row_has_them() -> None:
    heading, _, *lines = printed(rows_of([*RUNS, GPU_RUN])).splitlines()
    ends = [heading.index(name) + len(name) for name in ("J/epoch", "GPU use")]
    actual = {line.split()[0]: [line[:end].split()[-1] for end in ends] for line in lines[:3]}

    assert actual == {"psgd": ["–", "–"], "liec": ["6450", "50.0%"], "ddp": ["–", "–"]}
    assert lines[-1].strip().endswith("a rank an epoch; figures of GPUs: of all together")


def test_seeds_show_their_spread() -> None:
    runs = [run_of(str(seed), [{"seconds": 1.0 + seed}], seed=seed) for seed in (0, 1)]
    actual = printed(rows_of(runs), metrics=["seconds_per_epoch"])

    # 1.5 ± 12.706 · (√2 / 2) / √2
    assert "1.5 ±6.35" in actual


@pytest.mark.parametrize("width", range(40, 100))
def test_a_narrow_terminal_names_what_it_hides(width: int) -> None:
    lines = printed(rows_of([*RUNS, GPU_RUN]), width=width).splitlines()
    text = " ".join(" ".join(lines).split())
    shown, hidden = lines[0], text.partition("for want of width: ")[2]
    headings = [columns.HEADINGS[name] for name in columns.DEFAULT_METRICS]

    assert [name for name in headings if (name in shown) == (name in hidden)] == []


@pytest.mark.parametrize("width", [20, 40, 60])
def test_what_matters_most_is_never_hidden(width: int) -> None:
    text = printed(rows_of(RUNS), width=width)
    hidden = " ".join(text.split()).partition("for want of width: ")[2]

    assert [name for name in ("accuracy", "s/epoch", "speed-up") if name in hidden] == []


def test_the_best_of_each_metric_stands_out() -> None:
    text = printed(rows_of(RUNS), metrics=["test_accuracy", "seconds_per_epoch"], styled=True)
    best = [part.partition("\x1b[0m")[0].strip() for part in text.split("\x1b[1;32m")[1:]]

    assert best == ["0.5", "90.0%"]


def test_failures_are_in_plain_sight() -> None:
    failed: list[Record] = [start("f", seed=1), end("f", status="failed", error="the launch [died]")]
    lines = printed(rows_of([*RUNS, failed, [start("u", seed=2)]])).splitlines()
    row = next(line for line in lines if line.startswith("ddp *"))

    assert (
        row.partition("×")[2].partition("×")[2].strip(),
        lines[-1].strip(),
    ) == ("1/3 failed, 1/3 unfinished", "ddp: failed: the launch [died]")


def test_groups_are_parted_by_a_line() -> None:
    runs = [run_of(f"{link}{workers}", link=link, workers=workers) for link in ("1mbit", "2mbit") for workers in (2, 4)]
    lines = printed(grouped(rows_of(runs), "link"), by="link", metrics=["test_accuracy"]).splitlines()
    links = [line.split()[3] if line.startswith("ddp") else line.strip("─ ") for line in lines[1:7]]

    assert links == ["", "1mbit", "1mbit", "", "2mbit", "2mbit"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("test_accuracy", 0.98765, "98.8%"),
        ("speedup", 1.5, "1.50×"),
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
def test_metrics_have_their_unit(name: str, value: float, expected: str) -> None:
    actual = columns.metric_text(name, Estimate(mean=value, low=None, high=None))

    assert expected == actual


def test_what_is_unknown_is_a_dash() -> None:
    actual = columns.metric_text("speedup", None)

    assert actual == "–"


def test_every_metric_has_a_heading() -> None:
    assert set(METRICS) == set(columns.HEADINGS)


def test_an_unknown_metric_suggests_the_nearest() -> None:
    with pytest.raises(LiecbenchError) as raised:
        columns.checked_metrics(["speedups"])

    assert str(raised.value) == "--metric speedups: there is no such metric; did you mean speedup?"
