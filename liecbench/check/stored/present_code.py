"""Results for a user's own code that has changed since the checked results were made: it was not compared."""

from collections.abc import Iterable

from liecbench.check.verdict import CheckResult, Verdict
from liecbench.config.own_code import CodeFile, is_changed
from liecbench.results.cells import CellResult
from liecbench.results.changed_code import recorded_code


def present_code_results(cells: Iterable[CellResult]) -> list[CheckResult]:
    """Return a NOT_COMPARED result per module of the user's own code that is another here than in the results.

    No module is imported. Modules that cannot be found here are ignored, and so are cells without recorded hashes.

    Args:
        cells: The cells of the checked results, not of the baseline: a baseline is usually of other code.
    """
    counts: dict[CodeFile, int] = {}
    for cell in cells:
        for file in set(recorded_code(cell).values()):
            counts[file] = counts.get(file, 0) + 1
    return [_result(file, count) for file, count in counts.items() if is_changed(file)]


def _result(file: CodeFile, count: int) -> CheckResult:
    reason = (
        f"its file has changed since {count} cell{'s' * (count > 1)} of these results began, so that the old code was "
        "checked; run the scenario with another --out to check the present one"
    )
    return CheckResult(cell=f"module {file.module}", metric="present_code", verdict=Verdict.NOT_COMPARED, reason=reason)
