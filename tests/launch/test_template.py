"""Template processes: what is forked from them, what they keep out of it, and how their death is reported."""

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from liecbench.config.loader import load_scenario
from liecbench.launch.channel import encode, write_plan
from liecbench.launch.events import CaseMeasured, Event
from liecbench.launch.launch import group
from liecbench.launch.pending import jobs_left
from liecbench.launch.template_client import Template, template_of
from liecbench.launch.torchrun import LaunchOutcome, Ranks, Torchrun, log_tail, start_torchrun
from liecbench.results.records import End
from tests.process_tree import ROOT, Tree
from tests.recorded import records
from tests.waiting import wait_for

SCENARIO = {
    "name": "one",
    "timing": "end_to_end",
    "task": {
        "dataset": "digits",
        "model": {"name": "mlp", "width": 8, "layers": 1},
        "batch_size": 256,
        "epochs": 1,
        "learning_rate": 0.1,
    },
    "matrix": {"algorithm": ["ddp"], "workers": [2], "link": ["none"]},
}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a template that several tests share, with an empty directory for temporary files."""
    return {"OPENBLAS_NUM_THREADS": "3", "TMPDIR": str(tmp_path_factory.mktemp("temporary"))}


def run(
    directory: Path, variables: dict[str, str] | None = None, threads: int = 1
) -> tuple[LaunchOutcome, dict[str, Any]]:
    """Launch one rank; return what it found of its process."""
    torchrun = Torchrun(
        module="tests.describing_rank", workers=1, threads=threads, shaped=False, variables=variables or {}
    )
    events: list[Event] = []
    outcome = start_torchrun(torchrun, directory / "plan.json", directory / "log", events.append)
    figures = [event.figures for event in events if isinstance(event, CaseMeasured)]
    return outcome, figures[0] if figures else {}


@pytest.fixture
def template() -> Iterator[Template]:
    template = Template(sys.executable, os.environ, ())
    yield template
    template.close()


def test_a_rank_is_a_fork_that_has_imported_torch(tmp_path: Path) -> None:
    outcome, found = run(tmp_path)

    assert outcome.status == 0, log_tail(outcome.log)
    assert ("liecbench.launch.template" in found["command_line"], True) == (True, found["had_torch"])


def test_ranks_work_where_the_command_works_now(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of a launch may be relative, and a program that uses the Python API may change its working directory."""
    for name in ("first", "second"):
        directory = tmp_path / name
        directory.mkdir()
        monkeypatch.chdir(directory)
        outcome, found = run(Path(), variables)

        assert outcome.status == 0, log_tail(outcome.log)
        assert found["working_directory"] == str(directory)


def test_a_template_has_one_thread_and_no_open_gpu() -> None:
    template = template_of(sys.executable, Torchrun(module="m", workers=1, threads=1, shaped=False).environment, ())
    wait_for(template.is_ready, "the template has imported torch")
    process = Path(f"/proc/{template.pid}")

    assert len(list((process / "task").iterdir())) == 1
    assert not [path for path in (process / "fd").iterdir() if "nvidia" in str(path.readlink())]


def test_ranks_see_the_environment_that_was_asked_for(tmp_path: Path, variables: dict[str, str]) -> None:
    """With OMP_PROC_BIND OpenMP binds a process when torch is imported: a shared template would ignore it."""
    _, plain = run(tmp_path, variables)
    _, other = run(tmp_path, {"LIECBENCH_TEST": "b", "OMP_PROC_BIND": "true", "OMP_PLACES": "{0}"}, threads=2)

    assert (
        plain["environment"]["OPENBLAS_NUM_THREADS"],
        plain["environment"]["OMP_NUM_THREADS"],
        plain["torch_threads"],
    ) == ("3", "1", 1)
    assert (
        other["environment"]["LIECBENCH_TEST"],
        other["environment"]["OMP_NUM_THREADS"],
        other["torch_threads"],
    ) == ("b", "2", 2)
    assert "OPENBLAS_NUM_THREADS" not in other["environment"] or "OPENBLAS_NUM_THREADS" in os.environ
    assert (os.sched_getaffinity(0), {0}) == (set(plain["affinity"]), set(other["affinity"]))


def test_launches_leave_no_temporary_files(tmp_path: Path, variables: dict[str, str]) -> None:
    """Torch's agent would leave a directory of logs, and a file with the traceback of a rank that fails."""
    statuses = []
    for module in ("tests.describing_rank", "tests.no_such_module"):
        torchrun = Torchrun(module=module, workers=2, threads=1, shaped=False, variables=variables)
        outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", lambda _: None)
        statuses.append(outcome.status)

    # Torch's compiler makes the directory of its cache when it is imported, as torch's log of a failed rank imports it.
    left = [path for path in Path(variables["TMPDIR"]).iterdir() if not path.name.startswith("torchinductor_")]
    assert (statuses, left) == ([0, 1], [])


def test_a_template_that_dies_is_reported_in_a_line(tmp_path: Path, variables: dict[str, str]) -> None:
    torchrun = Torchrun(module="tests.silent_rank", workers=1, threads=1, shaped=False, variables=variables)

    def kill(_: Event) -> None:
        os.kill(template_of(sys.executable, torchrun.environment, ()).pid, signal.SIGKILL)

    outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", kill)

    assert (outcome.status, log_tail(outcome.log, 1)) == (
        1,
        f"the process that ranks are forked from ({sys.executable}) ended with status -9",
    )


def test_torchs_checks_of_collectives_are_not_inherited_and_logs_are_utf_8() -> None:
    command = "import json; from liecbench.launch import template_client as c; "
    command += "print(json.dumps([c._inherited(), c.not_inherited()]))"
    variables = {**os.environ, "TORCH_DISTRIBUTED_DEBUG": "DETAIL", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", command], env=variables, capture_output=True, check=True)
    inherited, sentence = json.loads(done.stdout)

    assert ("TORCH_DISTRIBUTED_DEBUG" in inherited, inherited["PYTHONIOENCODING"]) == (False, "utf-8")
    assert sentence.startswith("TORCH_DISTRIBUTED_DEBUG is not set for the workers")


def test_launches_of_one_environment_share_a_template() -> None:
    first = template_of(sys.executable, {"LIECBENCH_TEST": "1"}, ())
    same = template_of(sys.executable, {"LIECBENCH_TEST": "1"}, ())
    other = template_of(sys.executable, {"LIECBENCH_TEST": "2"}, ())
    for template in (first, other):
        template.close()  # while it imports torch

    assert first is same
    assert first is not other


def test_a_template_that_died_before_it_received_its_order_is_not_ready(template: Template) -> None:
    os.kill(template.pid, signal.SIGSTOP)
    template.control.send(b"order")
    os.kill(template.pid, signal.SIGKILL)
    template.death()

    assert not template.is_ready()


def test_a_launch_that_ends_by_itself_while_it_is_stopped_has_its_own_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun = Torchrun(module="no_such_module", workers=1, threads=1, shaped=False)
    is_ready = Template.is_ready

    def ready_once_the_launch_has_ended(template: Template) -> bool:
        wait_for(lambda: select.select([ranks._launch._answer], [], [], 0)[0], "the launch has ended")
        return is_ready(template)

    with Ranks(torchrun, tmp_path / "plan.json", tmp_path / "log", None, isolate=False) as ranks:
        monkeypatch.setattr(Template, "is_ready", ready_once_the_launch_has_ended)
        ranks.stop()

        assert ranks.outcome().status == 1  # that of torchrun's agent; 137 would be a SIGKILL
    assert template_of(sys.executable, torchrun.environment, ()).is_alive


def test_a_template_that_cannot_import_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    torchrun = Torchrun(module="m", workers=1, threads=1, shaped=False, imports=("no_such_module",))
    outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", print)
    lines = log_tail(outcome.log).splitlines()

    assert outcome.status == 1
    assert lines[0] == f"the process that ranks are forked from ({sys.executable}) ended with status 1"
    assert lines[-1] == "ModuleNotFoundError: No module named 'no_such_module'"


def test_a_template_with_a_thread_refuses_to_fork(tmp_path: Path) -> None:
    torchrun = Torchrun(module="m", workers=1, threads=1, shaped=False, imports=("tests.module_with_thread",))
    outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", print)

    assert outcome.status == 1
    assert "importing what ranks need started threads" in log_tail(outcome.log)


def test_a_forked_launch_can_be_started_by_hand(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SCENARIO))
    (tmp_path / "results").mkdir()
    (launch,) = group(jobs_left(load_scenario(tmp_path / "s.yaml", []).cells(), {}).jobs)
    plan = tmp_path / "plan.json"
    write_plan(plan, launch.plan(tmp_path / "results", trace=False))
    done = subprocess.run(
        ["sh", "-c", launch.describe(plan)],
        cwd=ROOT,
        env=Tree().environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "results")
    assert [record.status for record in found if isinstance(record, End)] == ["completed"]
    events = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert [encode(record) for record in found] == [line for line in events if json.loads(line)["type"] in RECORDS]


RECORDS = {"start", "epoch", "end"}


def test_describe_is_one_shell_line(tmp_path: Path) -> None:
    shown = tmp_path / "an interpreter"
    shown.write_text('#!/bin/sh\necho "$A"\nfor word; do echo "$word"; done\n')
    shown.chmod(0o755)
    torchrun = Torchrun(
        module="m", workers=2, threads=1, shaped=False, python=str(shown), variables={"A": "b c; echo d"}
    )
    line = torchrun.describe(tmp_path / "a plan")

    lines = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout.splitlines()
    assert ["b c; echo d", "m", str(tmp_path / "a plan")] == [lines[0], *lines[-2:]]


def test_kernels_are_imported_before_the_launch_is_forked(tmp_path: Path) -> None:
    kernels = ("no_such_module", "liecbench.compressors.kernels.cpu.sign")
    torchrun = Torchrun(module="tests.describing_rank", workers=1, threads=1, shaped=False, kernels=kernels)
    events: list[Event] = []
    outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", events.append)
    (figures,) = [event.figures for event in events if isinstance(event, CaseMeasured)]

    assert (outcome.status, figures["had_numba"]) == (0, True), log_tail(outcome.log)


def test_a_rank_imports_nothing_for_its_first_step(tmp_path: Path) -> None:
    matrix = {"algorithm": ["liec"], "compressor": ["sign"], "workers": [2], "link": ["none"]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({**SCENARIO, "matrix": matrix, "baseline": "liec"}))
    (launch,) = group(jobs_left(load_scenario(tmp_path / "s.yaml", []).cells(), {}).jobs)
    torchrun = dataclasses.replace(launch.torchrun(), module="tests.compressing_rank", workers=1)
    events: list[Event] = []
    outcome = start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", events.append)
    (figures,) = [event.figures for event in events if isinstance(event, CaseMeasured)]

    # Some versions of torch import a small module for each backward pass's profiler.
    imported = [name for name in figures["imported"] if not name.startswith("torch.profiler.")]
    assert (outcome.status, imported) == (0, []), log_tail(outcome.log)
