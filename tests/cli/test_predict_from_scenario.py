"""The methods and the baseline that ``liecbench predict`` takes from a scenario."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from liecbench.profiles.profile import MethodTimes
from liecbench.profiles.profile_file import write_profile
from tests.cli.in_process import run_in_process
from tests.prediction.made_profiles import small_mlp_profile


def profile_and_scenario(directory: Path, rest: str, **task: Any) -> tuple[Path, Path]:
    """Write a profile of a small MLP, and a scenario with this model, ``task``, and ``rest`` as its last lines."""
    path, scenario = directory / "profile.json", directory / "scenario.yaml"
    write_profile(path, small_mlp_profile())
    small = {"dataset": "digits", "model": {"name": "mlp", "width": 8, "layers": 1}, "batch_size": 32, "epochs": 1}
    scenario.write_text(f"name: accumulated\ntask: {json.dumps({**small, 'learning_rate': 0.1, **task})}\n{rest}\n")
    return path, scenario


def test_methods_that_differ_only_in_the_minibatches_of_a_step_are_told_apart(tmp_path: Path) -> None:
    matrix = "matrix: {algorithm: [ddp, {name: ddp, task: {accumulate: 4}}], workers: [2], link: [1mbit]}"
    path, scenario = profile_and_scenario(tmp_path, matrix)

    done = run_in_process("predict", scenario, "--profile", path)
    rows = json.loads(run_in_process("predict", scenario, "--profile", path, "--format", "json").stdout)["rows"]

    assert (done.returncode, done.stderr) == (0, "")
    first_words = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert [first_words.count(name) for name in ("ddp accumulate 1", "ddp accumulate 4")] == [2, 2]
    text = done.stdout.replace("\n", " ")
    assert "ddp accumulate 4 is predicted to be the fastest per minibatch" in text
    assert "minibatches per step: ddp accumulate 4: 4, others: 1; speed-ups and break-evens compare seconds per" in text
    assert {row["method"]: row["minibatches_per_step"] for row in rows} == {
        "ddp accumulate 4": 4,
        "ddp accumulate 1": 1,
    }


def test_a_method_whose_own_work_is_known_needs_no_remark(tmp_path: Path) -> None:
    path, scenario = profile_and_scenario(tmp_path, "matrix: {algorithm: [ddp, ddp_bf16], workers: [2], link: [1mbit]}")
    without = run_in_process("predict", scenario, "--profile", path).stdout
    times = tuple(MethodTimes(algorithm={"name": name}, kind="step", local=1e-4) for name in ("ddp", "ddp_bf16"))
    write_profile(path, small_mlp_profile().model_copy(update={"methods": times}))
    known = run_in_process("predict", scenario, "--profile", path).stdout

    # 2.4 kB take 21 ms each way at 1 Mbit/s, of a step that computes 30 ms.
    assert ["ddp_bf16 is predicted to be the fastest" in text for text in (without, known)] == [True, True]
    assert ["leave out the method's own work" in " ".join(text.split()) for text in (without, known)] == [True, False]


def test_a_method_without_its_options_in_the_scenario_is_named_in_every_format(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [ddp, {name: psgd, task: {accumulate: 2}}], workers: [2], link: [1mbit]}\nserver: root"
    path, scenario = profile_and_scenario(tmp_path, rest)
    arguments = ("predict", scenario, "--profile", path, "--format")

    for output in ("table", "json"):
        named, own = run_in_process(*arguments, output, "--algorithm", "psgd"), run_in_process(*arguments, output)
        assert (named.returncode, named.stderr) == (
            0,
            f"psgd accumulate 1 is predicted; {scenario} has psgd accumulate 2\n",
        )
        assert (own.returncode, own.stderr) == (0, "")


def test_an_added_baseline_accumulates_as_the_scenario_does(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [psgd], workers: [2], link: [1mbit]}\nserver: sharded"
    path, scenario = profile_and_scenario(tmp_path, rest, accumulate=4)

    arguments = ("predict", scenario, "--profile", path, "--baseline", "ddp", "--format", "json")
    rows = json.loads(run_in_process(*arguments).stdout)["rows"]

    assert {row["method"]: row["minibatches_per_step"] for row in rows} == {"ddp": 4, "psgd": 4}


def test_the_scenario_s_baseline_is_found_by_its_fields(tmp_path: Path) -> None:
    rest = (
        "matrix: {algorithm: [ddp, {name: ddp, task: {accumulate: 4}}], workers: [2], link: [1mbit]}\n"
        "baseline: {algorithm: ddp, accumulate: 4}"
    )
    path, scenario = profile_and_scenario(tmp_path, rest)

    done = run_in_process("predict", scenario, "--profile", path)
    found = json.loads(run_in_process("predict", scenario, "--profile", path, "--format", "json").stdout)

    assert found["baseline"] == "ddp accumulate 4"
    assert {row["method"] for row in found["rows"] if row["speedup"]["mean"] == 1} == {"ddp accumulate 4"}
    assert "ddp accumulate 4, 2 workers" not in done.stdout
    assert "ddp accumulate 1, 2 workers" in done.stdout


def test_a_baseline_that_the_scenario_lacks_is_refused_as_by_run(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [ddp], workers: [2, 4], link: [1mbit]}\nbaseline: {algorithm: ddp, workers: 8}"
    path, scenario = profile_and_scenario(tmp_path, rest)

    predicted = run_in_process("predict", scenario, "--profile", path, "--workers", "8")
    ran = run_in_process("run", scenario, "--dry-run")

    assert (predicted.returncode, predicted.stdout, predicted.stderr) == (2, "", ran.stderr)
    assert "no cell is ddp with workers 8: in cells of ddp, workers is 2 or 4; give such a value" in ran.stderr


def test_the_baseline_has_no_workers_or_links_in_its_name(tmp_path: Path) -> None:
    rest = (
        "matrix: {algorithm: [ddp, local_sgd], workers: [2], link: [1mbit]}\n"
        "baseline: {algorithm: ddp, workers: 2, link: 1mbit}"
    )
    path, scenario = profile_and_scenario(tmp_path, rest)

    text = " ".join(run_in_process("predict", scenario, "--profile", path).stdout.split())

    assert re.search(r"local_sgd is predicted to be the fastest per step, [^,]* as fast as ddp\. The times", text), text


def test_the_workers_of_the_baseline_hold_for_all_rows_as_they_do_for_run(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [ddp, psgd], workers: [2, 8], link: [1mbit]}\nserver: sharded\n"
    path, scenario = profile_and_scenario(tmp_path, rest + "baseline: {algorithm: ddp, workers: 2}")

    found = json.loads(run_in_process("predict", scenario, "--profile", path, "--format", "json").stdout)
    text = " ".join(run_in_process("predict", scenario, "--profile", path).stdout.split())
    other = json.loads(
        run_in_process("predict", scenario, "--profile", path, "--baseline", "ddp", "--format", "json").stdout
    )

    assert (found["baseline"], found["baseline_workers"], found["baseline_link"]) == ("ddp", 2, None)
    times = {(row["method"], row["workers"]): row["seconds_per_step"]["mean"] for row in found["rows"]}
    # Equally many samples take 4 steps of 2 workers or one step of 8.
    assert {(row["method"], row["workers"]): row["speedup"]["mean"] for row in found["rows"]} == pytest.approx(
        {key: 4 * times["ddp", 2] / (8 / key[1]) / step for key, step in times.items()}
    )
    assert "8 workers on 1mbit: psgd is predicted to be the fastest per sample" in text
    assert "as fast as ddp on 2 workers" in text
    assert "speed-ups and break-evens: over ddp on 2 workers, as the scenario says, for equally many samples" in text
    assert other["baseline_workers"] is None
    assert {row["workers"] for row in other["rows"] if row["speedup"]["mean"] == 1} == {2, 8}


BOTH = "matrix: {algorithm: [ddp, {name: ddp, task: {accumulate: 4}}], workers: [2], link: [1mbit]}\n"
# The end of a scenario, options, the baseline and its minibatches per step, and the number of methods.
OTHER_BASELINES: list[tuple[str, tuple[str, ...], str, int, int]] = [
    (
        "matrix:\n  algorithm: [psgd, {name: liec, average_period: 32}]\n  compressor: [sign]\n  workers: [2]\n"
        "  link: [1mbit]\nbaseline: {algorithm: liec, average_period: 32}",
        ("--algorithm", "psgd", "--algorithm", "liec:average_period=4", "--algorithm", "liec:average_period=32"),
        "liec(sign) average period 32",
        1,
        3,
    ),
    (
        "matrix: {algorithm: [ddp, psgd], workers: [2, 4], link: [1mbit]}\n"
        "server: sharded\nblock_bytes: 1KB\nbaseline: {algorithm: psgd, workers: 2}",
        ("--algorithm", "ddp", "--algorithm", "psgd", "--workers", "2"),
        "psgd",
        1,
        2,
    ),
    (BOTH + "baseline: {algorithm: ddp, accumulate: 4}", ("--algorithm", "psgd"), "ddp", 4, 2),
    (
        BOTH + "baseline: {algorithm: ddp, accumulate: 1}",
        ("--algorithm", "ddp", "--algorithm", "psgd"),
        "ddp",
        1,
        2,
    ),
    (BOTH + "baseline: {algorithm: ddp, accumulate: 4}", ("--baseline", "psgd"), "psgd", 1, 3),
]


def test_methods_of_the_command_line_have_the_scenarios_server_and_its_baseline_its_options(tmp_path: Path) -> None:
    rest = (
        "matrix:\n  algorithm: [memsgd, {name: liec, average_period: 4}]\n  compressor: [sign]\n  workers: [4]\n"
        "  link: [1mbit]\nserver: root\nbaseline: liec"
    )
    path, scenario = profile_and_scenario(tmp_path, rest)
    arguments = ("predict", scenario, "--profile", path, "--algorithm", "psgd", "--format", "json")

    rows = json.loads(run_in_process(*arguments).stdout)["rows"]
    sharded = json.loads(run_in_process(*arguments, "--server", "sharded").stdout)["rows"]

    assert {(row["algorithm"], row["server"], row.get("average_period")) for row in rows} == {
        ("psgd", "root", None),
        ("liec", "root", 4),
    }
    assert {row["server"] for row in sharded} == {"sharded"}


@pytest.mark.parametrize(("rest", "options", "baseline", "minibatches", "number"), OTHER_BASELINES)
def test_the_scenarios_baseline_is_compared_with_methods_of_the_command_line(
    tmp_path: Path, rest: str, options: tuple[str, ...], baseline: str, minibatches: int, number: int
) -> None:
    path, scenario = profile_and_scenario(tmp_path, rest)

    done = run_in_process("predict", scenario, "--profile", path, *options, "--format", "json")
    found = json.loads(done.stdout)

    assert (found["baseline"], len(found["rows"])) == (baseline, number)
    (row,) = [row for row in found["rows"] if row["method"] == baseline]
    assert (row["speedup"]["mean"], row["minibatches_per_step"]) == (1, minibatches)


def test_break_evens_say_what_the_steps_compute_of_all_minibatches(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [ddp, psgd], workers: [2], link: [1mbit]}\nserver: sharded"
    profile = small_mlp_profile()
    passes = profile.forward.median + profile.backward.median

    found = {}
    for number in (1, 4):
        path, scenario = profile_and_scenario(tmp_path, rest, accumulate=number)
        done = run_in_process("predict", scenario, "--profile", path, "--format", "json")
        found[number] = json.loads(done.stdout)["break_even"][0]["compute_seconds_per_step"]

    assert found[1] == pytest.approx(profile.compute_seconds)
    assert found[4] - found[1] == pytest.approx(3 * passes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_scenario_for_gpus_asks_for_a_profile_where_there_is_no_gpu(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "name: s\ntask: {dataset: digits, model: mlp, batch_size: 32, epochs: 1, learning_rate: 0.1}\n"
        "matrix: {algorithm: [ddp], workers: [2], link: [1gbit]}\ndevice: cuda\n"
    )
    done = run_in_process("predict", str(scenario))

    assert done.returncode == 2, done.stderr
    assert "device: cuda: torch" in done.stderr
    assert "give --profile FILE, measured on a GPU" in done.stderr


def test_the_profile_that_is_advised_for_nccl_is_one_of_the_scenarios_model(tmp_path: Path) -> None:
    rest = "matrix: {algorithm: [ddp], workers: [2], link: [1mbit]}"
    path, scenario = profile_and_scenario(tmp_path, rest)
    scenario = scenario.rename(tmp_path / "my net.yaml")
    done = {given: run_in_process("predict", *given, "--profile", path) for given in ((), (scenario,))}
    without, with_scenario = (" ".join(one.stdout.split()) for one in done.values())

    advice = "For NCCL, give the profile of a GPU, such as "
    assert f"{advice}--profile h100-resnet18 or one of `liecbench profile SCENARIO --device cuda`, without" in without
    assert f"{advice}one of `liecbench profile '{scenario}' --device cuda`, without --transport." in with_scenario
    refused = run_in_process("predict", scenario, "--profile", "h100-resnet18")
    assert (refused.returncode, "it is the profile of another model" in refused.stderr) == (2, True)
