import dataclasses
import io
import re

import pytest
from rich.console import Console

from liecbench.report import terminal
from liecbench.results.comparison import Comparison
from liecbench.results.records import Record
from tests.ledgers import comparison_of, end, run_of, run_of_parts, start

RUNS = [
    run_of("d", [{"seconds": 2.0, "accuracy": 0.9, "payload": (4000, 4000), "wire": (5000, 5000)}]),
    run_of("p", [{"seconds": 0.5, "accuracy": 0.8, "payload": (40, 40), "wire": (100, 100)}], algorithm="psgd"),
]

GPU_RUN = run_of(
    "g", [{"gpu": {"energy_joules": 12_345.0, "utilisation": 0.5}}, {"gpu": {"energy_joules": 555.0}}], algorithm="liec"
)


def printed(comparison: Comparison, *, width: int = 200, styled: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=styled, color_system="standard" if styled else None
    )
    console.print(terminal.render(dataclasses.replace(comparison, verdict=())))  # which has tests of its own
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_table_reads_as_by_hand() -> None:
    lines = [line.rstrip() for line in printed(comparison_of(*RUNS)).splitlines()]
    rule = lines.pop(1)

    assert (
        [
            "algorithm  accuracy  s/epoch  exposed  payload   wire  bytes÷  speed-up",
            "psgd          80.0%      0.5     0.25     80 B  200 B  100.0×  4.00× ±?",
            "ddp *         90.0%        2        1     8 kB  10 kB   1.00×     1.00×",
            "2 workers · link 20mbit · dataset digits · model mlp · batch size 32 · epochs 2 · learning rate 0.1",
            "* baseline ddp; bytes÷ and speed-up: baseline ÷ row; payload and wire: sent + received per rank and epoch",
        ],
        {"─"},
    ) == (lines, set(rule))


def test_energy_and_use_of_gpus_have_columns_where_a_row_has_them() -> None:
    heading, _, *lines = printed(comparison_of(*RUNS, GPU_RUN)).splitlines()
    ends = [heading.index(name) + len(name) for name in ("J/epoch", "GPU use")]
    actual = {line.split()[0]: [line[:end].split()[-1] for end in ends] for line in lines[:3]}

    assert actual == {"psgd": ["–", "–"], "liec": ["6450", "50.0%"], "ddp": ["–", "–"]}
    assert lines[-1].strip().endswith("per rank and epoch; figures of GPUs: of all together")


def test_seeds_show_their_spread() -> None:
    runs = [run_of(str(seed), [{"seconds": 1.0 + seed}], seed=seed) for seed in (0, 1)]
    actual = printed(comparison_of(*runs, metrics=["seconds_per_epoch"]))

    # 1.5 ± 12.706 · (√2 / 2) / √2
    assert "1.5 ±6.35" in actual


@pytest.mark.parametrize("width", range(40, 100))
def test_a_narrow_terminal_names_what_it_hides(width: int) -> None:
    lines = printed(comparison_of(*RUNS, GPU_RUN), width=width).splitlines()
    text = " ".join(" ".join(lines).split())
    shown, hidden = lines[0], text.partition("because the terminal is too narrow: ")[2]
    headings = [metric.heading for metric in comparison_of(*RUNS, GPU_RUN).columns()]

    assert [name for name in headings if (name in shown) == (name in hidden)] == []


@pytest.mark.parametrize("width", [20, 40, 60])
def test_accuracy_time_and_speed_up_are_never_hidden(width: int) -> None:
    text = printed(comparison_of(*RUNS), width=width)
    hidden = " ".join(text.split()).partition("because the terminal is too narrow: ")[2]

    assert [name for name in ("accuracy", "s/epoch", "speed-up") if name in hidden] == []


def test_the_best_of_each_metric_stands_out() -> None:
    text = printed(comparison_of(*RUNS, metrics=["test_accuracy", "seconds_per_epoch"]), styled=True)
    best = [part.partition("\x1b[0m")[0].strip() for part in text.split("\x1b[1;32m")[1:]]

    assert best == ["0.5", "90.0%"]


def test_failures_are_in_plain_sight() -> None:
    failed: list[Record] = [start("f", seed=1), end("f", status="failed", error="the launch [died]")]
    lines = printed(comparison_of(*RUNS, failed, [start("u", seed=2)])).splitlines()
    row = next(line for line in lines if line.startswith("ddp *"))

    assert (
        row.partition("×")[2].partition("×")[2].strip(),
        lines[-1].strip(),
    ) == ("1/3 failed, 1/3 unfinished", "ddp: failed: the launch [died]")


def test_a_line_separates_groups() -> None:
    runs = [run_of(f"{link}{workers}", link=link, workers=workers) for link in ("1mbit", "2mbit") for workers in (2, 4)]
    lines = printed(comparison_of(*runs, by="link", metrics=["test_accuracy"])).splitlines()
    links = [line.split()[2] if line.startswith("ddp") else line.strip("─ ") for line in lines[1:7]]

    assert links == ["", "1mbit", "1mbit", "", "2mbit", "2mbit"]


@pytest.mark.parametrize("most", [500, 0])
def test_the_bandwidth_needed_is_a_table(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(terminal, "_MOST_TABLE_ROWS", most)
    runs = [
        run_of_parts(f"{name} {link}", 1.0, wire, 0.1, 0.0, algorithm=name, link=link)
        for name in ("ddp", "liec")
        for link, wire in (("50mbit", 1.8), ("200mbit", 0.45))
    ]
    lines = [line.rstrip() for line in printed(comparison_of(*runs)).splitlines()]
    start = next(index for index, line in enumerate(lines) if line.startswith("link rate from which"))

    # Transfer of 90 Mbit; a wait of 1 s, of which 0.1 s stays.
    assert lines[start + 1].split() == ["method", "workers", "50%", "75%", "90%", "95%", "99%", "at", "most"]
    rows = [line.split()[:3] for line in lines[start + 3 : start + 5]]
    assert rows == [["ddp", "2", "100mbit"], ["liec", "2", "100mbit"]]
    assert lines[start + 3].endswith(" not reached  90.9% (compression)")


def test_a_wide_table_hides_nothing_and_is_as_wide_as_it_needs() -> None:
    narrow = Console(file=io.StringIO(), width=60)
    narrow.print(terminal.render(comparison_of(*RUNS, wide=True)), crop=False)
    assert isinstance(narrow.file, io.StringIO)
    heading, *lines = narrow.file.getvalue().splitlines()

    assert {"accuracy", "exposed", "payload", "wire", "train"} <= set(heading.split())
    assert len(heading) > 60
    assert not any("hidden" in line for line in lines)


@pytest.mark.parametrize("styled", [False, True])
def test_a_long_table_has_the_same_text(monkeypatch: pytest.MonkeyPatch, styled: bool) -> None:
    runs = [
        run_of(f"{name}{n}", algorithm=name, workers=n, link=f"{n}mbit") for name in ("ddp", "psgd") for n in (2, 3)
    ]
    failed: list[Record] = [start("x", link="2mbit", algorithm="liec"), end("x", status="failed", error="no")]
    comparison = comparison_of(*runs, failed)
    texts = []
    for most in (500, 0):
        monkeypatch.setattr(terminal, "_MOST_TABLE_ROWS", most)
        texts.append(re.sub(r"\x1b\[[0-9;]*m", "", printed(comparison, styled=styled)))

    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) > 7
