"""The command ``liecbench predict``, with a profile that needs no measurement."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from liecbench.profiles.profile_file import write_profile
from tests.cli.in_process import run_in_process
from tests.prediction.made_profiles import made_profile

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
    answer, own_work, accuracy, backend = done.stdout.split("\n\n")[0].replace("\n", " ").split(". ")[:4]

    # 1.2 MB take 17 s both ways at 1 Mbit/s; signs are a 32nd of them.
    assert answer.startswith("8 workers on 1mbit: doublesqueeze(sign) is predicted to be the fastest per step, ")
    assert answer.endswith(" as fast as ddp")
    assert own_work == (
        "The times of doublesqueeze(sign) leave out the method's own work, such as sums with memories or PowerSGD's "
        "products; `liecbench profile SCENARIO` measures it"
    )
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


def test_all_wrong_options_of_a_method_are_named() -> None:
    done = run_in_process("predict", *ASSUMED, "--algorithm", "liec:average_period=0,foo=3")

    heading, *lines = done.stderr.removeprefix("liecbench: ").splitlines()
    assert (done.returncode, heading) == (2, "--algorithm liec:average_period=0,foo=3: 2 mistakes")
    assert [line.split(" (")[0] for line in lines] == [
        "--algorithm liec:average_period=0,foo=3: foo: liec has no option 'foo'",
        "--algorithm liec:average_period=0,foo=3: average_period: 0 should be at least 1",
    ]


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


def test_equal_speed_ups_in_several_settings_are_one_number() -> None:
    # The links' rates differ by a thousandth, and speed-ups have three digits.
    links = ("--link", "2000kbit,2001kbit", "--algorithm", "doublesqueeze")
    done = run_in_process("predict", *ASSUMED, "--workers", "2", *links)
    answer = " ".join(done.stdout.split("Accuracy")[0].split())

    assert re.search(r"is predicted to be the fastest per step, [\d.]+× as fast as ddp", answer), answer
