"""The YAML blocks are scenarios, parts of scenarios, or jobs that GitHub and GitLab accept."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from liecbench.config.loader import load_scenario
from tests.documents.pages import Block, blocks
from tests.scenarios import BASE

JOBS = {"# .github/workflows/communication.yml": "vendor.github-workflows", "# .gitlab-ci.yml": "vendor.gitlab-ci"}


def job_schema(block: Block) -> str | None:
    """Return the name of the schema of a job's block; None if it is no job."""
    return JOBS.get(block.text.partition("\n")[0])


SCENARIOS = [block for block in blocks("yaml") if job_schema(block) is None]


def completed(given: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario with the keys of a block; what the block lacks is that of a valid scenario."""
    base = yaml.safe_load(BASE)
    base["task"]["epochs"] = 20  # a warm-up that a block has ends
    return {**base, **given, **{key: {**base[key], **given.get(key, {})} for key in ("task", "matrix")}}


@pytest.mark.parametrize("block", SCENARIOS, ids=str)
def test_a_block_is_a_scenario_or_a_part_of_one(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "my_gpt" in block.text:
        pytest.importorskip("transformers")
    for module in blocks("python"):
        for name in ("my_models.py", "my_gpt.py"):
            if module.text.startswith(f"# {name}\n"):
                (tmp_path / name).write_text(module.text)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(completed(yaml.safe_load(block.text))))

    assert load_scenario(path).cells()


@pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="the schemas are missing: pip install '.[docs]'")
def test_the_jobs_are_valid(tmp_path: Path) -> None:
    jobs = [block for block in blocks("yaml") if job_schema(block) is not None]
    for block in jobs:
        path = tmp_path / f"job-{block.line}.yml"
        path.write_text(block.text)
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", str(job_schema(block)), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stdout}"

    assert {job_schema(block) for block in jobs} == set(JOBS.values())
