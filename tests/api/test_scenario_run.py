import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import liecbench
from liecbench.errors import LiecbenchError, ScenarioError
from liecbench.results.records import End, Epoch
from tests.cli.in_process import run_in_process
from tests.recorded import records
from tests.waiting import wait_for

# So many that the run does not end before it is interrupted after its first epoch.
EPOCHS: Final = 100
SCENARIO: Final = """
name: from-python
timing: end_to_end
task: {dataset: digits, model: {name: mlp, width: 8}, batch_size: 32, epochs: 30, learning_rate: 0.1}
matrix: {algorithm: [ddp, psgd], compressor: [sign], workers: [1, 2]}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "from-python.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt: who starts tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_run_is_that_of_the_command_and_goes_on_after_an_interruption(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    wanted: dict[str, Any] = {
        "out": str(out),
        "only": {"algorithm": ["ddp", "csgd"], "workers": 2},
        "overrides": {"task.epochs": EPOCHS, "task.momentum": 0.5},
        "seeds": 1,
        "quiet": True,
    }
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        wait_for(lambda: out.exists() and any(isinstance(one, Epoch) for one in records(out)), lambda: "an epoch")
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        liecbench.run(scenario, **wanted)
    thread.join()
    before = [one for one in records(out) if isinstance(one, Epoch)]
    results = liecbench.run(str(scenario), **wanted)
    after = records(out)

    assert 0 < len(before) < EPOCHS
    assert [one for one in after if isinstance(one, Epoch)][: len(before)] == before
    assert [one.status for one in after if isinstance(one, End)] == ["completed"]
    assert {(row["algorithm"], row["workers"], row["momentum"], row["failed"]) for row in results.rows} == {
        ("ddp", 2, 0.5, 0),
    }
    assert len(results.epochs) == EPOCHS
    printed = json.loads(run_in_process("compare", out, "--format", "json").stdout)
    assert printed["rows"] == json.loads(json.dumps(results.rows))
    with pytest.raises(LiecbenchError, match="holds results already"):
        liecbench.run(scenario, out=out, fresh=True)


def test_mistakes_are_exceptions_with_the_commands_messages(scenario: Path, tmp_path: Path) -> None:
    scenario.write_text(SCENARIO.replace("psgd", "psgg").replace("batch_size: 32", "batch_size: many"))
    printed = run_in_process("run", scenario, "--out", tmp_path / "none")

    with pytest.raises(ScenarioError, match=r"many(.|\n)*did you mean psgd") as error:
        liecbench.run(scenario, out=tmp_path / "none")
    assert (printed.returncode, printed.stderr) == (2, f"liecbench: {error.value}\n")
    with pytest.raises(ScenarioError):
        liecbench.run(tmp_path / "not-there.yaml")
    scenario.write_text(SCENARIO)
    with pytest.raises(LiecbenchError, match="the cells have no 'wrkers'"):
        liecbench.run(scenario, only={"wrkers": 2}, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
