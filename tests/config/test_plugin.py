import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "example_plugin"
SCENARIO = """\
name: third-party
task: {dataset: digits, model: {name: mlp, width: 16}, batch_size: 32, epochs: 3, learning_rate: 1.0}
matrix:
  algorithm: [{name: clipped_sgd, limit: 0.5}, memsgd]
  compressor: [every_other]
  workers: [2]
baseline: memsgd
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed the example package."""
    directory = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(directory), str(PLUGIN)]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return directory


def liecbench(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-m", "liecbench", *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_an_installed_package_shows_in_the_lists(site: Path, tmp_path: Path) -> None:
    algorithms = liecbench(site, "list", "algorithms", cwd=tmp_path).stdout
    compressors = liecbench(site, "list", "compressors", cwd=tmp_path).stdout

    assert "clipped_sgd" in algorithms
    assert "limit=1.0" in algorithms
    assert "every_other" in compressors


def test_an_installed_package_is_trained_and_compared(site: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    ran = liecbench(site, "run", "s.yaml", "--out", "r", "--quiet", cwd=tmp_path)
    compared = liecbench(site, "compare", "r", "--format", "json", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    rows = {row["algorithm"]: row for row in json.loads(compared.stdout)["rows"]}
    assert rows.keys() == {"clipped_sgd", "memsgd"}
    assert rows["clipped_sgd"]["payload_bytes_per_epoch"]["mean"] == rows["memsgd"]["payload_bytes_per_epoch"]["mean"]
    assert rows["clipped_sgd"]["test_accuracy"]["mean"] > 0.3
