"""The worked examples of CONTRIBUTING.md, used as it says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.one_process import run_in_one_process

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """Return the code block whose first line is the comment ``name``, without that line."""
    (block,) = re.findall(rf"^```\w+\n# {re.escape(name)}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return str(block)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package with the method and the compressor, and return the directory that holds it."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(example("pyproject.toml"))
    (source / "my_methods.py").write_text(example("my_methods.py") + "\n\n" + example("my_methods.py, continued"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(site), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return site


Done = Mapping[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the dataset and the scenario, and a scenario with a mistake."""
    directory = tmp_path_factory.mktemp("mine")
    (directory / "my_data.py").write_text(example("my_data.py"))
    (directory / "mine.yaml").write_text(example("mine.yaml"))
    (directory / "mistaken.yaml").write_text(example("mine.yaml").replace("fading: 0.8", "fading: 1.8"))
    return directory


@pytest.fixture(scope="module")
def done(site: Path, directory: Path) -> Done:
    """Run commands with the installed package among their imports; those of the scenario in its directory."""
    commands = {
        "run": ["run", "mine.yaml", "--quiet"],
        "compare": ["compare", "results/mine", "--format", "json"],
        "mistaken": ["run", "mistaken.yaml", "--dry-run"],
        "algorithms": ["list", "algorithms"],
        "compressors": ["list", "compressors"],
    }
    return dict(zip(commands, run_in_one_process([*commands.values()], directory, site), strict=True))


@pytest.fixture(scope="module")
def results(done: Done, directory: Path) -> Path:
    """Return the results of the finished run."""
    assert done["run"].returncode == 0, done["run"].stderr
    return directory / "results" / "mine"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy liecbench, add the metric and the format to the copy, and return the directory that holds it."""
    path = tmp_path_factory.mktemp("changed")
    package = path / "liecbench"
    shutil.copytree(ROOT / "liecbench", package, ignore=shutil.ignore_patterns("__pycache__"))
    metrics, formats = package / "results" / "metrics.py", package / "report" / "formats.py"
    insert_before(metrics, ")\nMETRICS: Final", example("liecbench/results/metrics.py, in the table"))
    insert_before(formats, "    CSV = ", example("liecbench/report/formats.py, in Format"))
    (package / "report" / "speedups.py").write_text(example("liecbench/report/speedups.py"))
    return path


def insert_before(file: Path, line: str, text: str) -> None:
    source = file.read_text()
    assert source.count(line) == 1
    file.write_text(source.replace(line, text + line))


@pytest.fixture(scope="module")
def done_by_changed(changed: Path, results: Path) -> Done:
    """Run commands of the changed copy on the finished run."""
    metric = ["compare", str(results), "--metric", "slowest_epoch_seconds"]
    commands = {
        "rows": [*metric, "--format", "json"],
        "table": metric,
        "speedups": ["compare", str(results), "--format", "speedups"],
    }
    return dict(zip(commands, run_in_one_process([*commands.values()], results, changed), strict=True))


def test_the_package_shows_in_the_lists(done: Done) -> None:
    assert re.search(r"fading_sgd .*fading=0.9", done["algorithms"].stdout)
    assert "every_other" in done["compressors"].stdout


def test_method_compressor_and_dataset_are_trained_and_compared(done: Done) -> None:
    assert done["run"].returncode == 0, done["run"].stderr
    rows = {row["algorithm"]: row for row in json.loads(done["compare"].stdout)["rows"]}

    assert rows.keys() == {"fading_sgd", "memsgd"}
    assert {row["dataset"] for row in rows.values()} == {"my_data:stripes"}
    assert min(row["test_accuracy"]["mean"] for row in rows.values()) > 0.5  # 1/8 by chance
    # Both compress on the way up and send dense values down.
    sent = {row["payload_bytes_per_epoch"]["mean"] for row in rows.values()}
    assert len(sent) == 1


def test_an_option_out_of_its_range_is_an_error_with_its_place(done: Done) -> None:
    refused = done["mistaken"]

    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert re.match(r"liecbench: mistaken.yaml:\d+:\d+: .*fading", refused.stderr)


@pytest.fixture(scope="module")
def done_with_changed_code(site: Path, results: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Run commands on a copy of the finished run, with another version of the installed package."""
    changed_site, changed_directory = (tmp_path_factory.mktemp(name) / "copy" for name in ("site", "mine"))
    shutil.copytree(site, changed_site)
    shutil.copytree(results.parents[1], changed_directory)
    methods = changed_site / "my_methods.py"
    methods.write_text(methods.read_text().replace("alpha=self.fading", "alpha=-self.fading"))
    commands = {
        "run": ["run", "mine.yaml", "--quiet"],
        "dry run": ["run", "mine.yaml", "--dry-run"],
        "baseline": ["baseline", "results/mine", "-o", "baseline.json"],
        "check": ["check", "results", "results/mine", "--baseline", "baseline.json"],
    }
    return dict(zip(commands, run_in_one_process([*commands.values()], changed_directory, changed_site), strict=True))


def test_results_of_other_code_are_told(done: Done, done_with_changed_code: Done) -> None:
    told = {name: each.stderr + each.stdout for name, each in done_with_changed_code.items()}

    for name in ("fading_sgd", "every_other"):
        cells = "1 cell" if name == "fading_sgd" else "2 cells"
        assert f"the file of {name} has changed since {cells} began: " in done_with_changed_code["run"].stderr
        assert f"the file of {name} has changed since {cells} began: " in told["dry run"]
    assert "NOT COMPARED module my_methods · present code: its file has changed since 2 cells " in told["check"]
    assert "has changed" not in done["run"].stderr


def test_a_metric_is_one_row(results: Path, done_by_changed: Done) -> None:
    (row, _) = json.loads(done_by_changed["rows"].stdout)["rows"]
    records = [json.loads(line) for line in (results / "records.jsonl").read_text().splitlines()]
    slowest = {
        max(r["train_seconds"] for r in records if r["type"] == "epoch" and r["cell"] == cell)
        for cell in {r["cell"] for r in records}
    }

    assert row["slowest_epoch_seconds"]["mean"] in slowest
    assert "slowest" in done_by_changed["table"].stdout.splitlines()[0]


def test_a_format_is_one_file_and_a_line(done_by_changed: Done) -> None:
    printed = done_by_changed["speedups"].stdout.splitlines()

    assert {line.partition(":")[0] for line in printed} == {"fading_sgd", "memsgd"}
    assert "memsgd: 1.00×" in printed
