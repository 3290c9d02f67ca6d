"""Reports of the outcome of ``liecbench check``: on standard output, in files, and for GitHub Actions."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from liecbench.cli.check_options import CheckFormat
from liecbench.cli.output_file import OutputKind, done_text, require_replaceable
from liecbench.console.console import console, ignore_broken_pipe, say
from liecbench.errors import ExitCode, LiecbenchError
from liecbench.untrusted import regular_files

if TYPE_CHECKING:
    from liecbench.check.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports that the options of ``liecbench check`` ask for.

    Create it before the check measures anything, so that a file that cannot be written is reported at once.

    Attributes:
        output: Format to print on standard output.
        json_file: File to write as JSON; None for no such file.
        junit: File to write as JUnit XML; None for no such file.
        github: True to write annotations for GitHub, and a step summary if GITHUB_STEP_SUMMARY is set.
        quiet: True not to say which files were written.

    Raises:
        LiecbenchError: If a file cannot be written.
    """

    output: CheckFormat
    json_file: Path | None
    junit: Path | None
    github: bool
    quiet: bool = False

    def __post_init__(self) -> None:
        for path, kind in ((self.json_file, OutputKind.CHECK_JSON), (self.junit, OutputKind.JUNIT)):
            if path is not None:
                require_replaceable(path, kind)

    def publish(self, outcome: "Outcome") -> NoReturn:
        """Write all reports of the outcome, and exit with the outcome's exit code.

        Raises:
            OSError, LiecbenchError: If a report cannot be written, and the exit code would be 0. If the exit code is
                not 0, a message on standard error names the missing report instead.
        """
        errors: list[OSError | LiecbenchError] = []
        for write in (self._write_json, self._write_junit, self._write_github):
            try:
                write(outcome)
            except (OSError, LiecbenchError) as error:
                errors.append(error)
        self._print(outcome)
        if errors and outcome.exit_code is ExitCode.DONE:
            raise errors[0]
        # Do not raise an error, because the exit code of a failed check matters more.
        for failed in errors:
            reason = f"{failed.filename}: {failed.strerror}" if isinstance(failed, OSError) else str(failed)
            say(f"a report is missing: {reason}", quiet=False)
        raise typer.Exit(outcome.exit_code)

    def _print(self, outcome: "Outcome") -> None:
        from liecbench.check.output import json_outcome, outcome_table

        with ignore_broken_pipe():
            match self.output:
                case CheckFormat.TABLE:
                    screen = console()
                    screen.print(outcome_table.render(outcome, width=screen.width))
                case CheckFormat.JSON:
                    print(json_outcome.to_json(outcome))

    def _write_json(self, outcome: "Outcome") -> None:
        from liecbench.check.output import json_outcome

        if self.json_file is not None:
            self._write(self.json_file, json_outcome.to_json(outcome))

    def _write_junit(self, outcome: "Outcome") -> None:
        from liecbench.check.output.junit import to_xml

        if self.junit is not None:
            self._write(self.junit, to_xml(outcome))

    def _write_github(self, outcome: "Outcome") -> None:
        from liecbench.check.output import github

        if self.github:
            for line in github.annotations(outcome):
                say(line, quiet=False)
            if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
                github.append_summary(outcome, Path(summary))

    def _write(self, path: Path, text: str) -> None:
        done = done_text(path)
        regular_files.write_text(path, text + "\n")
        say(done, self.quiet)
