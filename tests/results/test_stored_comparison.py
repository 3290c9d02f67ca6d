from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.results.asked_cells import AskedCells, write_asked
from liecbench.results.stored_comparison import load_comparison
from tests.ledgers import run_of, spec, write_ledger


@pytest.mark.parametrize(
    ("baseline", "differences"),
    [
        (None, "baseline psgd instead of ddp and accuracy_tolerance 0.01 instead of 0.005"),
        ("psgd", "accuracy_tolerance 0.01 instead of 0.005"),
    ],
)
def test_settings_that_are_not_used_are_named(tmp_path: Path, baseline: str | None, differences: str) -> None:
    first = write_ledger(tmp_path / "first", run_of("d"))
    other = write_ledger(tmp_path / "other", run_of("p", algorithm="psgd"))
    (other / "scenario.yaml").write_text("baseline: psgd\naccuracy_tolerance: 0.01\n")
    told: list[str] = []
    load_comparison([first, other], notify=told.append, baseline=baseline)

    assert told == [f"{other}: its scenario has {differences}; this comparison uses the values of {first}"]


def test_what_an_interrupted_run_did_not_finish_is_named_in_every_directory(tmp_path: Path) -> None:
    directories = [write_ledger(tmp_path / name, run_of(name, algorithm=name)) for name in ("ddp", "psgd")]
    for directory, workers in zip(directories, (4, 8), strict=True):
        write_asked(directory, AskedCells.of([Cell.from_spec(spec(workers=workers, timing="end_to_end"))]))
    comparison = load_comparison(directories, notify=print)

    assert [note.partition(";")[0] for note in comparison.notes] == [
        f"{directory} is not finished: it lacks the training of ddp (seed 0)" for directory in directories
    ]
    assert comparison.verdict[:2] == comparison.notes


def test_equal_settings_are_not_told(tmp_path: Path) -> None:
    directories = [write_ledger(tmp_path / name, run_of(name, algorithm=name)) for name in ("ddp", "psgd")]
    (directories[1] / "scenario.yaml").write_text("baseline: ddp\nloss_tolerance: 0.02\n")
    told: list[str] = []
    load_comparison(directories, notify=told.append)

    assert told == []


@pytest.mark.parametrize(("asked", "condition"), [(["ddp", "psgd"], " --only link=none"), (["ddp"], "")])
def test_commands_repeat_the_conditions_of_a_run_that_asked_for_all_cells(
    tmp_path: Path, asked: list[str], condition: str
) -> None:
    cells = {name: Cell.from_spec(spec(name, timing="end_to_end")) for name in ("ddp", "psgd")}
    records = [run_of(cell.id, [{}, {}], **{**cell.spec(), "algorithm": name}) for name, cell in cells.items()]
    directory = write_ledger(tmp_path / "r", *records)
    write_asked(directory, AskedCells.of([cells[name] for name in asked], ["link=none", "seed=0"]))
    words = load_comparison([directory], notify=print).words

    command = f"`liecbench run {directory}/scenario.yaml --out {directory}{condition}"
    assert words.command("--seeds 9") == f"{command} --seeds 9`"
    assert words.command("--set a=b") == f"{command}{condition and ' --only seed=0'} --set a=b`"
