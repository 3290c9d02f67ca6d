import re
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.estimate.dry_run import lines
from liecbench.launch.pending import Pending, jobs_left
from tests.estimate.estimated_cells import cell
from tests.ledgers import cells_of, run_of, spec

LOSSY = {"rate": "100mbit", "delay": "20ms", "loss": "1%"}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        # 1.2247 × 1514 bytes ÷ (80.3 ms × √0.0199).
        (LOSSY, "losses leave one TCP stream about 1.31mbit, as estimated by Mathis' formula"),
        ({**LOSSY, "loss": "0%"}, None),
        # A quarter of a millisecond of round trip leaves a stream more than the rate.
        ({"rate": "5mbit", "loss": "0.01%"}, None),
    ],
)
def test_a_dry_run_says_what_losses_leave_of_a_links_rate(link: Any, expected: str | None) -> None:
    pending = Pending(jobs=(Job(cell=cell(link=link)),), sessions=())
    notes = [
        line.partition(", ")[2] for line in lines(pending, [pending.jobs[0].cell], Path("results")) if "losses" in line
    ]

    assert notes == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("link", "enforcement", "expected"),
    [
        ("20mbit", "kernel", "each behind its own shaped veth"),
        ("20mbit", "process", "on the loopback, links paced by the processes"),
        ("none", "kernel", "on the unshaped loopback"),
        ("none", "process", "on the unshaped loopback"),
    ],
)
def test_a_launch_says_which_network_it_uses(link: str, enforcement: str, expected: str) -> None:
    cells = [Cell.from_spec(spec(link=link, enforcement=enforcement))]
    (line,) = (line for line in lines(jobs_left(cells, {}), cells, Path("results")) if line.startswith("launch 1"))

    assert line == f"launch 1: 1 cell to train, 2 workers, {expected}"


def test_what_concerns_the_whole_run_stands_before_its_launches() -> None:
    cells = [Cell.from_spec(spec(name, link=LOSSY, timing="interleaved")) for name in ("ddp", "ddp_bf16")]
    pending = jobs_left(cells, {})
    found = list(lines(pending, cells, Path("results"), refusal="no GPU", num_narrowable=1, break_even_rates=1))
    end = found.index("")
    before = [line.partition(":")[0] for line in found[:end]]

    assert before[:4] == [
        "2 cells, 0 of them done; results in results",
        "estimated",
        "not on this machine",
        "break-even",
    ]
    assert set(before[4:]) == {"note"}
    assert found[end + 1].startswith("launch 1: 2 cells to train, ")


def test_trainings_that_differ_only_in_the_seed_share_a_line() -> None:
    seeds = {0: 0, 1: 0, 7: 1, 2: 0, 9: 1}
    jobs = tuple(Job(cell=cell(seed=seed), epochs_done=done) for seed, done in seeds.items())
    cells = [job.cell for job in jobs]
    pending = Pending(jobs=jobs, cells=frozenset(cell.id for cell in cells))
    trainings = [line.strip() for line in lines(pending, cells, Path("results")) if " · " in line]

    # 2440 bytes in each of 22 steps.
    payload = "payload per rank and epoch: 53,680 bytes sent, 53,680 received"
    assert [re.sub(r"about [\d.]+ \w+", "about N s", line) for line in trainings] == [
        f"ddp · 2 workers · 10mbit · seeds 0 to 2: 2 epochs each, about N s in all; {payload}",
        f"ddp · 2 workers · 10mbit · seeds 7, 9: 1 epoch each, about N s in all; {payload}",
    ]


def test_trainings_and_timing_sessions_name_the_options_that_tell_methods_apart() -> None:
    algorithms: list[dict[str, Any]] = [
        {"name": "ddp"},
        {"name": "psgd", "per_tensor": True},
        {"name": "liec", "average_period": 8},
        {"name": "liec", "average_period": 32},
        {"name": "memsgd", "rescale_memory": True},
    ]
    sign = {"name": "sign"}
    cells = [
        Cell.from_spec(
            {
                **spec(timing="interleaved"),
                "algorithm": algorithm,
                "compressor": sign if algorithm["name"] in ("liec", "memsgd") else None,
            }
        )
        for algorithm in algorithms
    ]
    pending = jobs_left(cells, {})
    found = list(lines(pending, cells, Path("results")))
    (session,) = (line for line in found if "timing session" in line)
    trainings = [line.split(" · ")[0].strip() for line in found if "seed 0" in line]
    names = ["ddp", "psgd per_tensor", "liec(sign) average period 8", "liec(sign) average period 32", "memsgd(sign)"]

    assert f" rounds of {', '.join(names)}: about" in session
    assert trainings == names


def test_what_is_there_is_named_and_only_what_is_left_is_estimated() -> None:
    periods = {number: {"name": "liec", "average_period": number} for number in (8, 32)}
    first, second = (cell(periods[number], compressor="sign", server="sharded") for number in periods)
    results = {one.id: one for one in cells_of(run_of(first.id, [{}, {}], seed=0))}
    whole = list(lines(jobs_left([first, second], {}), [first, second], Path("results")))
    found = list(lines(jobs_left([first, second], results), [first, second], Path("results"), found=results))
    there = found.index("already in results:")
    trainings = [line for line in found if "payload per rank" in line]

    assert found[0] == "2 cells, 1 of them done; results in results"
    assert re.fullmatch(r"estimated: about [\d.]+ s for what is left, [\d,]+ payload bytes sent by all ranks", found[1])
    assert re.fullmatch(r"estimated: about [\d.]+ s in all, [\d,]+ payload bytes sent by all ranks", whole[1])
    assert found[there - 1 : there + 3] == [
        "",
        "already in results:",
        "  liec(sign) average period 8 · 2 workers · 10mbit · seed 0: trained and timed",
        "",
    ]
    assert [line.split(" · ")[0].strip() for line in trainings] == ["liec(sign) average period 32"]
