from pathlib import Path

import pytest
import typer

from liecbench.cli.check_options import CheckFormat
from liecbench.cli.check_reports import Reports
from tests.check.outcomes import PASSED


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_says_nothing_of_files_that_were_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    files = tmp_path / "check.json", tmp_path / "check.xml"
    with pytest.raises(typer.Exit):
        Reports(CheckFormat.TABLE, *files, False, quiet).publish(PASSED)

    assert [file.stat().st_size > 0 for file in files] == [True, True]
    assert capsys.readouterr().err.splitlines() == ([] if quiet else [f"wrote {file}" for file in files])
