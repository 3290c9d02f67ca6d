from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, write_ledger


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ledger(tmp_path_factory.mktemp("results"), *(run_of(f"cell{seed}", seed=seed) for seed in range(2)))


def test_only_a_file_of_the_same_kind_is_replaced(results: Path, tmp_path: Path) -> None:
    stored, ledger = tmp_path / "baseline.json", results / "records.jsonl"
    other = tmp_path / "notes.txt"
    other.write_text("mine\n", encoding="utf-8")
    kept = ledger.read_bytes()
    check = ("check", "results", results, "--baseline", stored)
    commands = {
        tmp_path / "page.html": ("report", results, "-o"),
        stored: ("baseline", results, "-o"),
        tmp_path / "check.json": (*check, "--json"),
        tmp_path / "junit.xml": (*check, "--junit"),
    }
    for own, command in commands.items():
        own.touch()  # an empty file is nobody's
        for word in ("wrote", "replaced"):
            done = run_in_process(*command, own)
            assert done.returncode == 0, done.stderr
            assert f"{word} {own}" in [line.partition(": ")[0] for line in done.stderr.splitlines()]
            assert own.stat().st_size > 0
    for own, command in commands.items():
        for foreign in (ledger, other, *(path for path in commands if path != own)):
            before = foreign.read_bytes()
            done = run_in_process(*command, foreign)
            assert (done.returncode, done.stdout) == (2, ""), done
            assert f"{foreign}: not overwritten, because it is not " in done.stderr
            assert foreign.read_bytes() == before
    assert ledger.read_bytes() == kept
