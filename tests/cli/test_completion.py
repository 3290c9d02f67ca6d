import os
import subprocess
import sys
from pathlib import Path

import pytest

from liecbench.cli.completion import complete_compressors, complete_methods, complete_profiles, complete_scenarios


def completed(words: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Return what a shell gets when it asks to complete the last of ``words``."""
    asked = {"_LIECBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    command = [sys.executable, "-m", "liecbench"]
    environment = {**os.environ, **asked}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("liecbench run qui", ["quickstart"]),
        ("liecbench predict --algorithm lie", ["liec"]),
        ("liecbench compare results --baseline ddp_", ["ddp_bf16", "ddp_fp16"]),
    ],
)
def test_a_shell_completes_names(words: str, expected: list[str], tmp_path: Path) -> None:
    done = completed(words, tmp_path)

    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", expected)


def test_files_are_completed_beside_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quiet.yaml", "quiet.txt", ".hidden.yaml"):
        Path(name).touch()
    (tmp_path / "quiz").mkdir()
    (tmp_path / "quiz" / "one.yml").touch()

    assert complete_scenarios("qui") == ["quickstart", "quiet.yaml", "quiz/"]
    assert complete_scenarios("quiz/") == ["quiz/one.yml"]
    assert complete_scenarios("nowhere/") == []
    assert ".hidden.yaml" not in complete_scenarios("")
    assert complete_profiles("h100-g") == ["h100-gpt-bf16"]


def test_methods_and_compressors_are_completed_without_importing_torch() -> None:
    assert {"ddp", "liec", "powersgd"} <= set(complete_methods(""))
    assert complete_compressors("top") == ["top_k"]
    program = "import sys, liecbench.cli.completion as c; c.complete_methods(''); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
