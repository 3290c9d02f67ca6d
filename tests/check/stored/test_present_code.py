import hashlib
from pathlib import Path

from liecbench.check.stored.present_code import present_code_results
from liecbench.check.verdict import Verdict
from liecbench.config.own_code import CodeFile, Part
from liecbench.results.cells import CellResult
from tests.check.stored_results import cell

CURRENT = hashlib.sha256((Path(__file__).parents[2] / "own_tasks.py").read_bytes()).hexdigest()


def of_code(sha256: str, *parts: Part, module: str = "tests.own_tasks") -> CellResult:
    file = CodeFile(module=module, sha256=sha256)
    return cell(environment={"code": dict.fromkeys(parts, file)})


def test_code_that_has_changed_is_not_compared() -> None:
    old = "0" * 64
    cells = [of_code(old, "model", "dataset"), of_code(old, "model"), of_code(CURRENT, "model")]

    (found,) = present_code_results(cells)

    assert (found.cell, found.verdict) == ("module tests.own_tasks", Verdict.NOT_COMPARED)
    assert found.reason.startswith("its file has changed since 2 cells of these results began, ")


def test_unchanged_and_unknown_code_has_no_result() -> None:
    elsewhere = of_code("0" * 64, "algorithm", module="module_of_another_machine")

    assert present_code_results([of_code(CURRENT, "model"), elsewhere, cell()]) == []
