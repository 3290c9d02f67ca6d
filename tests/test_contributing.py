"""The worked examples of CONTRIBUTING.md, used as it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.commands import command_line
from tests.short_sessions import SHORT_SESSIONS

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """Return the code block whose first line is the comment ``name``, without that line."""
    (block,) = re.findall(rf"^```\w+\n# {re.escape(name)}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return str(block)


def liecbench(
    directory: Path, path: Path, *arguments: str, prefix: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run liecbench in ``directory``, as the installed command does, with ``path`` among its imports."""
    return subprocess.run(
        [*prefix, *command_line(*arguments)],
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


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


@pytest.fixture(scope="module")
def directory(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the scenario in a directory that holds the dataset, and return it."""
    directory = tmp_path_factory.mktemp("mine")
    (directory / "my_data.py").write_text(example("my_data.py"))
    (directory / "mine.yaml").write_text(example("mine.yaml"))
    ran = liecbench(directory, site, "run", "mine.yaml", "--quiet", prefix=SHORT_SESSIONS)
    assert ran.returncode == 0, ran.stderr
    return directory


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


def test_the_package_shows_in_the_lists(site: Path, tmp_path: Path) -> None:
    algorithms = liecbench(tmp_path, site, "list", "algorithms").stdout
    compressors = liecbench(tmp_path, site, "list", "compressors").stdout

    assert re.search(r"fading_sgd .*fading=0.9", algorithms)
    assert "every_other" in compressors


def test_method_compressor_and_dataset_are_trained_and_compared(directory: Path, site: Path) -> None:
    compared = liecbench(directory, site, "compare", "results/mine", "--format", "json")
    rows = {row["algorithm"]: row for row in json.loads(compared.stdout)["rows"]}

    assert rows.keys() == {"fading_sgd", "memsgd"}
    assert {row["dataset"] for row in rows.values()} == {"my_data:stripes"}
    assert min(row["test_accuracy"]["mean"] for row in rows.values()) > 0.5  # 1/8 by chance
    # Both compress on the way up and send dense values down.
    sent = {row["payload_bytes_per_epoch"]["mean"] for row in rows.values()}
    assert len(sent) == 1


def test_an_option_out_of_its_range_is_an_error_with_its_place(directory: Path, site: Path, tmp_path: Path) -> None:
    shutil.copy(directory / "my_data.py", tmp_path)
    (tmp_path / "mine.yaml").write_text(example("mine.yaml").replace("fading: 0.8", "fading: 1.8"))
    refused = liecbench(tmp_path, site, "run", "mine.yaml", "--dry-run")

    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert re.match(r"liecbench: mine.yaml:\d+:\d+: .*fading", refused.stderr)


def test_a_metric_is_one_row(directory: Path, changed: Path) -> None:
    arguments = ("compare", "results/mine", "--metric", "slowest_epoch_seconds")
    (row, _) = json.loads(liecbench(directory, changed, *arguments, "--format", "json").stdout)["rows"]
    table = liecbench(directory, changed, *arguments).stdout
    records = [json.loads(line) for line in (directory / "results" / "mine" / "records.jsonl").read_text().splitlines()]
    slowest = {
        max(r["train_seconds"] for r in records if r["type"] == "epoch" and r["cell"] == cell)
        for cell in {r["cell"] for r in records}
    }

    assert row["slowest_epoch_seconds"]["mean"] in slowest
    assert "slowest" in table.splitlines()[0]


def test_a_format_is_one_file_and_a_line(directory: Path, changed: Path) -> None:
    printed = liecbench(directory, changed, "compare", "results/mine", "--format", "speedups").stdout.splitlines()

    assert {line.partition(":")[0] for line in printed} == {"fading_sgd", "memsgd"}
    assert "memsgd: 1.00×" in printed
