"""The commands `liecbench check` and `liecbench baseline`."""

import functools
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from liecbench.cli.console import console, readers_may_leave, say
from liecbench.errors import ExitCode, LiecbenchError

if TYPE_CHECKING:
    from liecbench.check.verdict import Outcome

_WAYS = "--baseline FILE, --pair-scenarios A B, --pair-revisions A B, --pair-python A B or --self-test"


_TURNS = {"only", "assign", "env_a", "env_b", "share_gpus", "tolerance", "bound", "pairs", "seed"}
# What each way of comparing uses.
_USED = {
    "baseline": {"subject", "accuracy_margin"},
    "pair_scenarios": _TURNS,
    "pair_revisions": {"subject", *_TURNS},
    "pair_python": {"subject", *_TURNS},
    "self_test": {"pairs", "seed"},
}
_OUTPUTS = {"output", "json_file", "junit", "github", "quiet"}


ShareGpus = Annotated[
    bool, typer.Option("--share-gpus", help="Let NCCL ranks share GPUs (experimental: NCCL does not support it).")
]


class CheckFormat(StrEnum):
    """How a check's outcome is printed."""

    TABLE = "table"
    JSON = "json"


def baseline(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
) -> None:
    """Write the baseline that a later `check` compares with."""
    from liecbench.check.stored.baseline import Baseline, left_out
    from liecbench.results.directory import load

    cells = load([results])
    stored = Baseline.of(cells)
    stored.write(output)
    for line in left_out(cells):
        say(f"left out: {line}", quiet=False)
    say(f"wrote {output}: {len(stored.cells)} of {len(cells)} cells", quiet=False)


def check(
    context: typer.Context,
    subject: Annotated[
        Path | None,
        typer.Argument(metavar="[RESULTS|SCENARIO.yaml]", help="Results for --baseline, else the scenario."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare results with this stored baseline.", show_default=False)
    ] = None,
    pair_scenarios: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A.yaml B.yaml", help="Take turns: two scenarios.", show_default=False),
    ] = None,
    pair_revisions: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Take turns: two git revisions.", show_default=False)
    ] = None,
    pair_python: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Take turns: two Python interpreters.", show_default=False),
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Try the gate on this machine: identical code, and steps drawn out.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Take the cells with this value.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a key.")] = None,
    env_a: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set a variable for A's processes.")
    ] = None,
    env_b: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set a variable for B's processes.")
    ] = None,
    share_gpus: ShareGpus = False,
    tolerance: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0.0, max=1.0, help="B fails where it is shown to be slower than by this."),
    ] = 0.02,
    bound: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="B passes where it is shown to be within this.")
    ] = 0.10,
    pairs: Annotated[int, typer.Option(metavar="N", min=9, max=1000, help="At most so many pairs a cell.")] = 60,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the coin that says whose turn is first.")] = 0,
    accuracy_margin: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0.0, max=100.0, help="Loss of accuracy that a stored baseline lets pass."),
    ] = 0.5,
    output: Annotated[CheckFormat, typer.Option("--format", help="How to print it.")] = CheckFormat.TABLE,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all data as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Write GitHub's step summary and annotations.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Find regressions: of results against a stored baseline, or of B against A in turns."""
    _the_way(context)
    _check_outputs(json_file, junit)
    if baseline is not None:
        outcome = _against_stored(_needed(subject, "RESULTS"), baseline, accuracy_margin)
        _publish(outcome, output, json_file, junit, github)
    if not tolerance < bound:
        raise LiecbenchError(f"--tolerance {tolerance} is not below --bound {bound}", "give a smaller one")
    from liecbench.check.paired.contest import Versus
    from liecbench.check.paired.stopping import Gate

    versus = Versus(
        gate=Gate(tolerance=tolerance, bound=bound, most_pairs=pairs),
        seed=seed,
        only=only or [],
        assignments=assign or [],
        variables=(_variables("--env-a", env_a), _variables("--env-b", env_b)),
        share_gpus=share_gpus,
        say=functools.partial(say, quiet=quiet),
    )
    if pair_scenarios is not None:
        outcome = versus.scenarios(*pair_scenarios)
    elif pair_revisions is not None:
        outcome = versus.revisions(_needed(subject, "SCENARIO.yaml"), *pair_revisions)
    elif pair_python is not None:
        outcome = versus.pythons(_needed(subject, "SCENARIO.yaml"), *pair_python)
    else:
        assert self_test, "there is no other way"
        outcome = versus.itself()
    _publish(outcome, output, json_file, junit, github)


def _the_way(context: typer.Context) -> None:
    """LiecbenchError unless one way of comparing was given, and nothing that it does not use."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    ways = [name for name in _USED if name in given]
    if len(ways) != 1:
        raise LiecbenchError("check takes one way of comparing", f"give one of {_WAYS}")
    unused = sorted(given - set(ways) - _USED[ways[0]] - _OUTPUTS)
    if unused:
        names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
        told = ", ".join(names[name] for name in unused)
        raise LiecbenchError(f"{names[ways[0]]} does not use {told}", "leave it out")


def _check_outputs(*paths: Path | None) -> None:
    """Before anything is measured that could not be written."""
    for path in paths:
        if path is not None and not os.access(path if path.exists() else path.parent, os.W_OK):
            raise LiecbenchError(f"{path}: it cannot be written", "give a file in a directory that exists")


def _needed(subject: Path | None, what: str) -> Path:
    if subject is None:
        raise LiecbenchError(f"check: {what} is missing", f"name it: `liecbench check {what} …`")
    return subject


def _variables(option: str, assignments: list[str] | None) -> dict[str, str]:
    variables = {}
    for assignment in assignments or []:
        name, sign, value = assignment.partition("=")
        if not sign or not name:
            raise LiecbenchError(
                f"{option} {assignment}: not NAME=VALUE", f"write for example {option} OMP_PROC_BIND=true"
            )
        variables[name] = value
    return variables


def _against_stored(results: Path, path: Path, accuracy_margin: float) -> "Outcome":
    from liecbench.check.stored.baseline import Baseline
    from liecbench.check.stored.gate import Margins, check_stored
    from liecbench.results.directory import load

    stored = Baseline.read(path)
    return check_stored(load([results]), stored, Margins(accuracy_points=accuracy_margin / 100))


def _publish(
    outcome: "Outcome", output: CheckFormat, json_file: Path | None, junit: Path | None, github: bool
) -> NoReturn:
    """Print it, write it, and exit with its code."""
    from liecbench.check.output import json_outcome, outcome_table
    from liecbench.check.output.junit import to_xml

    with readers_may_leave():
        match output:
            case CheckFormat.TABLE:
                screen = console()
                screen.print(outcome_table.render(outcome, width=screen.width))
            case CheckFormat.JSON:
                print(json_outcome.to_json(outcome))
    try:
        if json_file is not None:
            json_file.write_text(json_outcome.to_json(outcome) + "\n", encoding="utf-8")
        if junit is not None:
            junit.write_text(to_xml(outcome) + "\n", encoding="utf-8")
        if github:
            _tell_github(outcome)
    except (OSError, LiecbenchError):
        if outcome.exit_code is ExitCode.DONE:
            raise
        say("not everything could be written", quiet=False)  # what was found counts for more
    raise typer.Exit(outcome.exit_code)


def _tell_github(outcome: "Outcome") -> None:
    from liecbench.check.output import github

    for line in github.annotations(outcome):
        say(line, quiet=False)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        github.append_summary(outcome, Path(summary))
