"""The command ``liecbench predict``, with a profile that needs no measurement."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from liecbench.profiles.profile_file import write_profile
from tests.cli.in_process import run_in_process
from tests.prediction.made_profiles import made_profile, small_mlp_profile

ASSUMED = ("--parameters", "300k", "--step-seconds", "0.05", "--compress-gbytes-per-second", "2")


def test_a_number_of_parameters_and_a_step_answer_with_assumptions() -> None:
    done = run_in_process("predict", *ASSUMED, "--workers", "8", "--link", "1gbit", "--delay", "5ms")

    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        "liec(sign)",
        "powersgd",
        "round trip 20ms",
        "assumed: a step of one worker computes 0.05 s",
        "assumed: a compressor's operations process 2 GB",
        "180 µs per message",
        "link rate from which computing takes 50 % to 99 % of each step",
    ):
        assert text in done.stdout, text


def test_the_answer_and_what_it_leaves_out_come_first() -> None:
    done = run_in_process("predict", *ASSUMED, "--workers", "8", "--link", "1mbit", "--algorithm", "doublesqueeze")
    answer, accuracy, backend = done.stdout.split("\n\n")[0].replace("\n", " ").split(". ")[:3]

    # 1.2 MB take 17 s both ways at 1 Mbit/s; signs are a 32nd of them.
    assert answer.startswith("8 workers on 1mbit: doublesqueeze(sign) is predicted to be the fastest per step, ")
    assert answer.endswith(" as fast as ddp")
    assert accuracy.startswith("Accuracy is not predicted: ")
    assert "`liecbench run` measures it" in accuracy
    assert backend == "All times are those over Gloo"


def test_one_sentence_takes_the_place_of_bandwidths_that_are_never_reached() -> None:
    # A step waits for two trips of 10 s or more, so that computing takes at most 1 of 21 s, at any rate.
    slow = ("--parameters", "300k", "--step-seconds", "1", "--compress-gbytes-per-second", "2", "--delay", "5s")
    arguments = ("predict", *slow, "--workers", "2", "--link", "1gbit", "--algorithm", "ddp", "--algorithm", "liec")
    text = " ".join(run_in_process(*arguments).stdout.split())
    markdown = run_in_process(*arguments, "--format", "markdown").stdout
    found = json.loads(run_in_process(*arguments, "--format", "json").stdout)

    sentence = re.search(
        r"no link rate is high enough for computing to take 50% of a step: without rate limit, it takes at most "
        r"([\d.]+)% \(latency\), with (ddp|liec\(sign\)) and 2 workers on links with delay 5s round trip 20s, for "
        r"steps that compute 1 s, as assumed",
        text,
    )
    assert sentence is not None, text
    assert 0 < float(sentence[1]) < 100 / 21 + 0.1
    assert "link rate from which computing takes" not in text
    assert "not reached" not in text
    assert markdown.count("not reached |") == 10
    bases = [rate["basis"] for one in found["bandwidth_needed"] for rate in one["rates"]]
    assert bases == ["not_reached"] * 10


def test_settings_with_the_same_answer_share_a_sentence() -> None:
    methods = ("--algorithm", "ddp", "--algorithm", "doublesqueeze")
    done = run_in_process("predict", *ASSUMED, "--workers", "2,8", "--link", "1mbit,1000gbit", *methods)
    text = done.stdout.replace("\n", " ")

    assert "2 workers on 1mbit; 8 workers on 1mbit: doublesqueeze(sign) is predicted to be the fastest" in text
    assert (
        "2 workers on 1000gbit; 8 workers on 1000gbit: no method is predicted to be over 5% faster per step than ddp."
        in text
    )


def test_the_profile_of_a_gpu_gives_times_over_nccl() -> None:
    done = run_in_process("predict", "--profile", "h100-resnet18", "--workers", "8", "--link", "1gbit")
    text = " ".join(done.stdout.split())

    assert "All times are those over NCCL, because the profile is one of a GPU" in text
    assert "78 µs per message, from the profile (measured over Gloo)" in text
    assert "the costs of the transport but that per message are assumed; liecbench measures them over Gloo only" in text


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


def test_a_method_alone_is_compared_with_the_usual_baseline() -> None:
    arguments = (*ASSUMED, "--workers", "8", "--link", "1mbit", "--algorithm", "liec", "--format", "json")
    found = json.loads(run_in_process("predict", *arguments).stdout)

    assert found["baseline"] == "ddp"
    assert {row["algorithm"]: row["speedup"]["mean"] > 2 for row in found["rows"]} == {"ddp": False, "liec": True}


def test_rows_of_one_algorithm_have_the_options_in_which_they_differ() -> None:
    methods = ("--algorithm", "psgd:per_tensor=true", "--algorithm", "psgd", "--algorithm", "liec")
    done = run_in_process("predict", *ASSUMED, "--workers", "8", "--link", "1gbit", *methods)
    first_words = [line.split("  ")[0] for line in done.stdout.splitlines()]

    assert (done.returncode, done.stderr) == (0, "")
    for name in ("psgd per_tensor", "psgd", "liec(sign)"):
        assert first_words.count(name) == 2, name  # in the table of steps, and in that of bandwidths


def test_json_has_rows_break_evens_and_needed_bandwidths(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_profile(path, made_profile([100_000]))

    arguments = ("--profile", path, "--workers", "2,4096", "--link", "20mbit,100gbit", "--algorithm", "ddp")
    done = run_in_process("predict", *arguments, "--algorithm", "doublesqueeze", "--format", "json")

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    rows = {(row["algorithm"], row["workers"], row["link"]): row for row in found["rows"]}
    assert len(rows) == 8
    row = rows["doublesqueeze", 2, "20mbit"]
    assert row["compressor"] == {"name": "sign"}
    assert "predicted" in row["flags"]
    assert row["speedup"]["low"] < row["speedup"]["mean"] < row["speedup"]["high"]
    assert row["compute_utilization"] == pytest.approx(0.03 / row["seconds_per_step"]["mean"])
    assert {one["method"] for one in found["break_even"]} == {"doublesqueeze(sign)"}
    assert [one["utilization"] for one in found["bandwidth_needed"][0]["rates"]] == [0.5, 0.75, 0.9, 0.95, 0.99]
    assert found["inputs"]["profile"]["compute_seconds"] == pytest.approx(0.03)


@pytest.mark.parametrize("output", ["csv", "markdown"])
def test_rows_are_printed_in_other_formats(output: str) -> None:
    done = run_in_process("predict", *ASSUMED, "--workers", "2", "--link", "1gbit", "--format", output)

    assert (done.returncode, done.stderr) == (0, "")
    if output == "csv":
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert {row["algorithm"] for row in rows} >= {"ddp", "liec", "powersgd"}
        assert float(rows[0]["seconds_per_step"]) > 0.05
    else:
        assert "| method | workers | link |" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing says what a step computes; give SCENARIO.yaml, or --profile FILE"),
        (("--parameters", "30M"), "--parameters needs --step-seconds"),
        (("--step-seconds", "1"), "--step-seconds needs --parameters"),
        ((*ASSUMED, "--profile", "x.json"), "--profile has parameters and times already"),
        (("--profile", "missing.json"), "missing.json"),
        ((*ASSUMED, "--ranks-per-node", "4"), "links inside nodes have no rate; add --inner-link"),
        ((*ASSUMED, "--inner-link", "10gbit"), "each worker is a node of its own; add --ranks-per-node"),
        ((*ASSUMED, "--link", ""), "--link"),
        ((*ASSUMED, "--link", "wan"), "lose frames are not predicted"),
        (
            ("--parameters", "30M", "--step-seconds", "fast"),
            "--step-seconds fast: no time; write seconds, such as 0.15",
        ),
        ((*ASSUMED, "--baseline", "psg"), "did you mean psgd?"),
        (("--validate", "missing"), "missing"),
        (("--validate", "r", "--link", "1gbit"), "--link: --validate predicts what was measured"),
        (("--validate", "r", "--baseline", "ddp", "--workers", "2"), "--workers, --baseline: --validate predicts"),
        (("--validate", "r", "--ranks-per-node", "1"), "with the settings of the run; remove it, or --validate"),
        (("quickstart", "--validate", "r"), "SCENARIO: --validate predicts what was measured"),
    ],
)
def test_mistakes_are_named_with_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    done = run_in_process("predict", *arguments)

    assert done.returncode in (2, 4)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_of_another_model_than_the_scenarios_is_refused(tmp_path: Path) -> None:
    path, scenario = tmp_path / "profile.json", tmp_path / "scenario.yaml"
    write_profile(path, made_profile([100_000]))
    scenario.write_text(
        "name: small\n"
        "task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 1, "
        "learning_rate: 0.1}\n"
        "matrix: {algorithm: [ddp], workers: [2], link: [10mbit]}\n"
    )

    done = run_in_process("predict", scenario, "--profile", path)

    assert done.returncode == 2
    assert "it is the profile of another model, with 100,000 parameters in 1 tensors" in done.stderr
    assert "mlp of the scenario has 610 in 4; measure one with liecbench profile" in done.stderr


@pytest.mark.parametrize(("axis", "name"), [("batch_size: [8, 16]", "batch_size"), ("model: [mlp, cnn]", "model")])
def test_a_scenario_with_several_models_is_refused(axis: str, name: str, tmp_path: Path) -> None:
    task = {"dataset": "digits", "model": "mlp", "batch_size": 32, "epochs": 1, "learning_rate": 0.1}
    del task[name]
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        f"name: several\ntask: {json.dumps(task)}\nmatrix: {{algorithm: [ddp], workers: [2], link: [10mbit], {axis}}}\n"
    )

    done = run_in_process("predict", scenario)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"the cells have several values of {name}: " in done.stderr
    assert "; a profile has one; give a scenario with one of them" in done.stderr


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

    assert re.search(r"local_sgd is predicted to be the fastest per step, [^,]* as fast as ddp\. Accuracy", text), text


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


def test_equal_speed_ups_in_several_settings_are_one_number() -> None:
    # The links' rates differ by a thousandth, and speed-ups have three digits.
    links = ("--link", "2000kbit,2001kbit", "--algorithm", "doublesqueeze")
    done = run_in_process("predict", *ASSUMED, "--workers", "2", *links)
    answer = " ".join(done.stdout.split("Accuracy")[0].split())

    assert re.search(r"is predicted to be the fastest per step, [\d.]+× as fast as ddp", answer), answer
