from pathlib import Path

import pytest

from liecbench.results.stored_comparison import load_comparison
from tests.ledgers import run_of, write_ledger


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


def test_equal_settings_are_not_told(tmp_path: Path) -> None:
    directories = [write_ledger(tmp_path / name, run_of(name, algorithm=name)) for name in ("ddp", "psgd")]
    (directories[1] / "scenario.yaml").write_text("baseline: ddp\nloss_tolerance: 0.02\n")
    told: list[str] = []
    load_comparison(directories, notify=told.append)

    assert told == []
