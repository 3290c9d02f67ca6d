"""Mistakes in ``liecbench predict``: they are refused before anything is measured."""

import json
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process

SCENARIO = """
name: small
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 1, learning_rate: 0.1}
matrix: {algorithm: [ddp, memsgd], compressor: [sign], workers: [2], link: [10mbit]}
"""
# With these, the model's compute or the speed of compressors is measured, if nothing else is given.
MEASURED = {"scenario": ("small.yaml",), "assumed": ("--parameters", "300k", "--step-seconds", "0.05")}
# Per option: values that are wrong, and a part of the message.
MISTAKES = {
    "workers": (("--workers", "no"), "'no' is no number of workers"),
    "link": (("--link", "fast"), "--link fast"),
    "no-rate": (("--link", "none"), "it has no rate"),
    "loss": (("--link", "wan"), "lose frames are not predicted"),
    "delay": (("--delay", "long"), "--delay long: no delay"),
    "algorithm": (("--algorithm", "memsg"), "did you mean memsgd?"),
    "algorithm-option": (("--algorithm", "liec:average_period=0"), "average_period"),
    "compressor": (("--compressor", "topk"), "did you mean top_k?"),
    "compressor-option": (("--compressor", "top_k:ratio=2"), "ratio"),
    "no-fitting-compressor": (("--algorithm", "ef21", "--compressor", "qsgd"), "--algorithm ef21: "),
    "unused-compressor": (
        ("--algorithm", "memsgd", "--compressor", "sign", "--compressor", "qsgd"),
        "--compressor qsgd: no predicted method works with it; remove it, or give a method that does",
    ),
    "compressor-without-use": (("--algorithm", "ddp", "--compressor", "sign"), "no predicted method works with it"),
    "whole-nodes": (
        ("--workers", "6", "--ranks-per-node", "4", "--inner-link", "10gbit"),
        "6 workers are no whole number of nodes with 4 each",
    ),
    "no-inner-link": (("--ranks-per-node", "2"), "add --inner-link"),
    "no-nodes": (("--inner-link", "10gbit"), "add --ranks-per-node"),
    "inner-link": (("--ranks-per-node", "2", "--inner-link", "fast"), "--inner-link fast: no rate"),
    "baseline": (("--baseline", "dpd"), "did you mean ddp?"),
    "server": (("--server", "here"), "--server here: no place of a server"),
    "transport": (("--transport", "missing.json"), "missing.json"),
    "small-transport": (("--transport", "exchange.json", "--algorithm", "psgd"), "over 16 × the largest one"),
    "validate": (("--validate", "results"), "--validate predicts what was measured"),
    "format": (("--format", "html"), "html"),
}
# The mistakes that depend on where the profile comes from.
OF_SCENARIO = {
    "profile": (("--profile", "missing.json"), "missing.json"),
    "parameters": (("--parameters", "300k"), "--parameters needs --step-seconds, too"),
    "step-seconds": (("--step-seconds", "1"), "--step-seconds needs --parameters, too"),
    "speed-of-a-profile": (("--compress-gbytes-per-second", "2"), "--compress-gbytes-per-second: "),
}
OF_ASSUMED = {
    "profile": (("--profile", "h100-resnet18"), "--profile has parameters and times already"),
    "parameters": (("--parameters", "few"), "--parameters few: no number"),
    "step-seconds": (("--step-seconds", "fast"), "--step-seconds fast: no time"),
    "speed": (("--compress-gbytes-per-second", "0"), "--compress-gbytes-per-second"),
}
CASES = {
    f"{source}-{kind}": (MEASURED[source], *case)
    for source, own in (("scenario", OF_SCENARIO), ("assumed", OF_ASSUMED))
    for kind, case in {**MISTAKES, **own}.items()
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with the scenario, and with measurements of messages of a few bytes."""
    (tmp_path / "small.yaml").write_text(SCENARIO)
    rows = [
        {"name": "stream", "operation": "send", "size": size, "payload_bytes": size, "workers": 2, "link": str(rate)}
        | {"asked_bits_per_second": rate, "seconds": 8 * size / rate + 1e-4}
        for size in (2, 4)
        for rate in (10**6, 10**7)
    ]
    (tmp_path / "exchange.json").write_text(json.dumps({"rows": rows}))
    return tmp_path


@pytest.mark.parametrize(("source", "mistake", "message"), CASES.values(), ids=CASES)
def test_a_mistake_is_refused_before_anything_is_measured(
    directory: Path, source: tuple[str, ...], mistake: tuple[str, ...], message: str
) -> None:
    done = run_in_process("predict", *source, *mistake, directory=directory)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert message in done.stderr
    assert "measuring" not in done.stderr


@pytest.mark.parametrize("source", MEASURED.values(), ids=MEASURED)
def test_a_measurement_is_announced(directory: Path, source: tuple[str, ...]) -> None:
    done = run_in_process("predict", *source, "--algorithm", "memsgd", "--link", "10mbit", directory=directory)

    assert (done.returncode, done.stderr.startswith("measuring ")) == (0, True), done.stderr


def test_what_the_command_line_asks_for_is_measured(directory: Path) -> None:
    asked = ("--algorithm", "memsgd", "--compressor", "top_k", "--workers", "2,64")
    done = run_in_process("predict", "small.yaml", *asked, "--format", "json", directory=directory)

    rows = json.loads(done.stdout)["rows"]
    assert {(row["method"], row["workers"]) for row in rows} == {
        (method, workers) for method in ("ddp", "memsgd(top_k)") for workers in (2, 64)
    }
    assert not any("without_method_times" in row["flags"] for row in rows)


def test_a_model_that_fails_in_a_minibatch_is_named(directory: Path) -> None:
    path = directory / "small.yaml"
    path.write_text(SCENARIO.replace("{name: mlp, width: 8, layers: 1}", '"tests.cli.test_profiling:broken"'))

    done = run_in_process("predict", path)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "tests.cli.test_profiling:broken cannot be trained: RuntimeError: broken; correct the model" in done.stderr
