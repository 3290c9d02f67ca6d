from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.results.comparison_of_cells import compare
from liecbench.results.environment_record import Environment
from liecbench.results.recommendation_words import MoreSeeds
from liecbench.results.row_labels import Labels
from liecbench.results.tolerances import DEFAULT_TOLERANCES
from liecbench.results.verdict_words import Words
from tests.break_even_ledger import ledger
from tests.ledgers import cells_of, spec


@pytest.mark.parametrize(
    ("recorded", "advised"),
    [
        ([None, None], "0.01"),
        ([0.02, 0.02], "0.01"),
        ([0.01, 0.01], "0.005"),
        ([0.02, 0.01], "0.005"),
        ([0.0015, 0.02], "0.001"),
    ],
)
def test_more_rounds_come_from_half_of_the_precision_that_sessions_aimed_at(
    recorded: list[float | None], advised: str
) -> None:
    # Both methods are equally fast at this rate.
    asked = [Cell.from_spec(spec(name, link="50mbit", timing="interleaved")) for name in ("ddp", "psgd")]
    timed = [cell for cell in cells_of(ledger(asked)) if cell.is_interleaved]
    for cell, precision in zip(timed, recorded, strict=True):
        cell.environment = Environment(timing_precision=precision)
    advice = f"time more rounds with `liecbench run SCENARIO --set timing_precision={advised}`"

    assert f"no recommendation: no method is shown to be faster; {advice}" in compare(timed, baseline="ddp").verdict


def test_an_imprecise_speed_up_is_told_with_the_command_that_times_more_rounds() -> None:
    asked = [Cell.from_spec(spec(name, link="10mbit", timing="interleaved")) for name in ("ddp", "psgd")]
    timed = [cell for cell in cells_of(ledger(asked, placements=2)) if cell.is_interleaved]
    for cell in timed:
        cell.environment = Environment(timing_precision=0.002)
    found = compare(timed, baseline="ddp", directories=[Path("a b")], only=["seed=0"])
    command = "`liecbench run 'a b/scenario.yaml' --out 'a b' --only seed=0 --set timing_precision=0.001`"
    (warning,) = [text for text in found.warnings if "uncertain" in text]

    assert warning.endswith(", and timing_precision asked for ±0.2%")
    assert found.merged_warnings[-2:] == (warning, f"time more rounds with {command}")


def test_no_finer_precision_is_advised_than_a_scenario_may_ask_for() -> None:
    asked = [Cell.from_spec(spec(name, link="10mbit", timing="interleaved")) for name in ("ddp", "psgd")]
    timed = [cell for cell in cells_of(ledger(asked, placements=2)) if cell.is_interleaved]
    for cell in timed:
        cell.environment = Environment(timing_precision=0.001)

    assert (
        compare(timed, baseline="ddp").merged_warnings[-1] == "timing_precision has the smallest allowed value, 0.001"
    )


@pytest.mark.parametrize(
    ("methods", "seeds", "ran", "parts"),
    [
        (("liec",), 5, 1, ["one seed cannot show whether liec keeps", "4 more seeds (5 in all)", "--seeds 5`"]),
        (
            ("liec", "psgd"),
            12,
            3,
            ["9 more seeds (12 in all)", "whether any of liec and psgd keeps", "--seeds 12`"],
        ),
        (("liec",), 101, 3, ["over 100 seeds", "whether liec keeps the accuracy", "train longer"]),
    ],
)
def test_more_seeds_are_advised_with_what_they_settle(
    methods: tuple[str, ...], seeds: int, ran: int, parts: list[str]
) -> None:
    words = Words(labels=Labels([]), baseline="ddp", tolerances=DEFAULT_TOLERANCES)
    text = MoreSeeds(methods=methods, quality="accuracy", seeds=seeds, ran=ran).text(words)

    assert [part for part in parts if part not in text] == []
    assert ("`" in text) == (seeds <= 100)
