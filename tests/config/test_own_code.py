import hashlib
import sys
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.own_code import CodeFile, code_files, is_changed, part_names
from tests import ledgers

TASKS = Path(__file__).parents[1] / "own_tasks.py"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_the_users_own_code_has_files() -> None:
    cell = Cell.from_spec(ledgers.spec(task={"model": {"name": "tests.own_tasks:linear"}}))

    assert code_files(cell) == {"model": CodeFile(module="tests.own_tasks", sha256=sha256(TASKS))}
    assert code_files(Cell.from_spec(ledgers.spec())) == {}


def test_every_part_has_its_name() -> None:
    names = part_names(Cell.from_spec(ledgers.spec(algorithm="psgd", compressor={"name": "sign"})))

    assert names == {"algorithm": "psgd", "compressor": "sign", "dataset": "digits", "model": "mlp"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a package with the module ``methods``, whose import would fail, in a directory of the search path."""
    path = tmp_path / "package_of_a_test"
    path.mkdir()
    (path / "__init__.py").write_text("raise AssertionError('imported')")
    (path / "methods.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return path


@pytest.mark.parametrize(("module", "file"), [(".methods", "methods.py"), ("", "__init__.py")])
def test_a_changed_module_is_found_without_an_import(package: Path, module: str, file: str) -> None:
    recorded = CodeFile(module=f"package_of_a_test{module}", sha256=sha256(package / file))
    before = is_changed(recorded)
    (package / file).write_text("a = 2\n")

    assert (before, is_changed(recorded)) == (False, True)
    assert "package_of_a_test" not in sys.modules


def test_a_module_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_a_test.py").write_text("a = 1\n")
    recorded = CodeFile(module="module_of_a_test", sha256="0" * 64)
    elsewhere = is_changed(recorded)
    monkeypatch.chdir(tmp_path)

    assert (elsewhere, is_changed(recorded)) == (False, True)


@pytest.mark.parametrize("module", ["", ".", "no_such_module", "os.no_such_module", "sys", "a..b"])
def test_a_module_that_is_not_found_is_not_changed(module: str) -> None:
    assert not is_changed(CodeFile(module=module, sha256="0" * 64))
