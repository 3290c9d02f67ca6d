"""The commands of shell blocks, executed in the test's process."""

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cli.in_process import run_in_process
from tests.documents.pages import ROOT, Block
from tests.finished_run import FinishedRun

# A command that reads results finds those of the shared run in their place.
_READS_RESULTS = {"compare", "report", "verify", "baseline", "check", "predict", "export"}


def liecbench_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each liecbench command in shell code, also of those in a job's steps."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.search(r"(?:^|run: |- |/)(liecbench .*)", line.strip()):
            yield shlex.split(found[1].partition(" || ")[0], comments=True)


@dataclass(frozen=True, slots=True)
class Session:
    """A directory in which the commands of one page run, one after the other."""

    directory: Path
    results: FinishedRun

    def __post_init__(self) -> None:
        (self.directory / "scenarios").symlink_to(ROOT / "scenarios")

    def write(self, block: Block) -> None:
        """Write the file that a block shows, if its first line is a comment with a name."""
        if found := re.match(r"# (\w+\.(?:py|yaml))\n", block.text):
            (self.directory / found[1]).write_text(block.text)

    def run(self, text: str) -> None:
        """Run a block. ``liecbench run`` only shows what it would do, because training takes minutes."""
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                self._run_words(words)

    def _run_words(self, words: list[str]) -> None:
        name, *arguments = words
        assert name == "liecbench", f"no test can run {shlex.join(words)}: say above the block why it is not run"
        output = None
        if ">" in arguments:
            *arguments, _, output = arguments
        if arguments[0] == "run" and "--dry-run" not in arguments:
            arguments.append("--dry-run")
        if arguments[0] in _READS_RESULTS:
            self._provide_results(arguments)
        done = run_in_process(*arguments, directory=self.directory)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr or done.stdout}"
        assert done.stdout or done.stderr, shlex.join(words)
        if output is not None:
            (self.directory / output).write_text(done.stdout)

    def _provide_results(self, arguments: list[str]) -> None:
        for argument in arguments:
            place = self.directory / argument
            if argument.startswith("results/") and not place.exists():
                place.parent.mkdir(exist_ok=True)
                shutil.copytree(self.results.directory, place)
