"""The subcommands of ``liecbench check``."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.check.paired.rule_settings import FEWEST_PAIRS_PER_RELAUNCH, StoppingRule
from liecbench.cli.check_options import (
    Bound,
    CheckFormat,
    Github,
    JsonFile,
    JunitFile,
    OrderSeed,
    OutputFormat,
    Pairs,
    Relaunches,
    Tolerance,
    VariablesA,
    VariablesB,
    variables,
)
from liecbench.cli.check_reports import Reports
from liecbench.cli.options import Assignments, Only, Quiet, ScenarioPath, ShareGpus
from liecbench.cli.stored_check import results
from liecbench.config.bundled_scenarios import scenario_path
from liecbench.console.console import say
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    from liecbench.check.paired.paired_check import PairedCheck

check = typer.Typer(
    help="Find regressions: of results against a stored baseline, or of B against A, measured side by side.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
check.command()(results)
_TABLE = CheckFormat.TABLE
_DEFAULT = StoppingRule()

ScenarioA = Annotated[Path, typer.Argument(metavar="A.yaml", show_default=False, parser=scenario_path)]
ScenarioB = Annotated[Path, typer.Argument(metavar="B.yaml", show_default=False, parser=scenario_path)]
SideA = Annotated[str, typer.Argument(metavar="A", show_default=False)]
SideB = Annotated[str, typer.Argument(metavar="B", show_default=False)]


@check.command()
def scenarios(
    a: ScenarioA,
    b: ScenarioB,
    only: Only = None,
    assign: Assignments = None,
    env_a: VariablesA = None,
    env_b: VariablesB = None,
    share_gpus: ShareGpus = False,
    tolerance: Tolerance = _DEFAULT.tolerance,
    bound: Bound = _DEFAULT.bound,
    pairs: Pairs = _DEFAULT.most_pairs,
    relaunches: Relaunches = _DEFAULT.fewest_relaunches,
    seed: OrderSeed = 0,
    output: OutputFormat = _TABLE,
    json_file: JsonFile = None,
    junit: JunitFile = None,
    github: Github = False,
    quiet: Quiet = False,
) -> None:
    """Compare the speed and traffic of two scenarios, cell by cell.

    Cells that differ from an earlier cell of their scenario only in the seed are ignored. Of the remaining cells, the
    first of B is compared with the first of A, the second with the second, and so on. The two cells of a pair are
    timed repeatedly, in turns.
    """
    reports = Reports(output, json_file, junit, github, quiet)
    rule, own = _rule(tolerance, bound, pairs, relaunches), _variables(env_a, env_b)
    check = _paired_check(rule, seed, only, assign, own, share_gpus=share_gpus, quiet=quiet)
    reports.publish(check.scenarios(a, b))


@check.command()
def revisions(
    scenario: ScenarioPath,
    a: SideA,
    b: SideB,
    only: Only = None,
    assign: Assignments = None,
    env_a: VariablesA = None,
    env_b: VariablesB = None,
    share_gpus: ShareGpus = False,
    tolerance: Tolerance = _DEFAULT.tolerance,
    bound: Bound = _DEFAULT.bound,
    pairs: Pairs = _DEFAULT.most_pairs,
    relaunches: Relaunches = _DEFAULT.fewest_relaunches,
    seed: OrderSeed = 0,
    output: OutputFormat = _TABLE,
    json_file: JsonFile = None,
    junit: JunitFile = None,
    github: Github = False,
    quiet: Quiet = False,
) -> None:
    """Compare the speed and traffic of two git revisions of the project in this directory.

    Both revisions run the cells of the scenario. A and B are commits, branches or tags, such as `main`.
    """
    reports = Reports(output, json_file, junit, github, quiet)
    rule, own = _rule(tolerance, bound, pairs, relaunches), _variables(env_a, env_b)
    check = _paired_check(rule, seed, only, assign, own, share_gpus=share_gpus, quiet=quiet)
    reports.publish(check.revisions(scenario, a, b))


@check.command()
def pythons(
    scenario: ScenarioPath,
    a: SideA,
    b: SideB,
    only: Only = None,
    assign: Assignments = None,
    env_a: VariablesA = None,
    env_b: VariablesB = None,
    share_gpus: ShareGpus = False,
    tolerance: Tolerance = _DEFAULT.tolerance,
    bound: Bound = _DEFAULT.bound,
    pairs: Pairs = _DEFAULT.most_pairs,
    relaunches: Relaunches = _DEFAULT.fewest_relaunches,
    seed: OrderSeed = 0,
    output: OutputFormat = _TABLE,
    json_file: JsonFile = None,
    junit: JunitFile = None,
    github: Github = False,
    quiet: Quiet = False,
) -> None:
    """Compare the liecbench of two Python interpreters.

    Both interpreters run the cells of the scenario, each with the liecbench and torch that it has installed. A and B
    are paths of interpreters, such as `old/bin/python`, or commands in PATH.
    """
    reports = Reports(output, json_file, junit, github, quiet)
    rule, own = _rule(tolerance, bound, pairs, relaunches), _variables(env_a, env_b)
    check = _paired_check(rule, seed, only, assign, own, share_gpus=share_gpus, quiet=quiet)
    reports.publish(check.pythons(scenario, a, b))


@check.command(name="self-test")
def self_test(
    pairs: Pairs = _DEFAULT.most_pairs,
    relaunches: Relaunches = _DEFAULT.fewest_relaunches,
    seed: OrderSeed = 0,
    output: OutputFormat = _TABLE,
    json_file: JsonFile = None,
    junit: JunitFile = None,
    github: Github = False,
    quiet: Quiet = False,
) -> None:
    """Test the gate on this machine.

    Identical code must pass, and steps slowed down by 15 % must fail.
    """
    reports = Reports(output, json_file, junit, github, quiet)
    rule = _rule(_DEFAULT.tolerance, _DEFAULT.bound, pairs, relaunches)
    reports.publish(_paired_check(rule, seed, quiet=quiet).self_test())


def _rule(tolerance: float, bound: float, pairs: int, relaunches: int) -> StoppingRule:
    if not tolerance < bound:
        raise LiecbenchError(f"--tolerance {tolerance} is not below --bound {bound}", "give a smaller tolerance")
    if pairs < FEWEST_PAIRS_PER_RELAUNCH * relaunches:
        message = f"--pairs {pairs} is too few for --relaunches {relaunches}"
        raise LiecbenchError(message, f"give {FEWEST_PAIRS_PER_RELAUNCH} pairs per relaunch or more")
    return StoppingRule(tolerance=tolerance, bound=bound, most_pairs=pairs, fewest_relaunches=relaunches)


def _variables(env_a: list[str] | None, env_b: list[str] | None) -> tuple[dict[str, str], dict[str, str]]:
    return variables("--env-a", env_a), variables("--env-b", env_b)


def _paired_check(
    rule: StoppingRule,
    seed: int,
    only: list[str] | None = None,
    assign: list[str] | None = None,
    own: tuple[dict[str, str], dict[str, str]] = ({}, {}),
    *,
    share_gpus: bool = False,
    quiet: bool,
) -> "PairedCheck":
    from liecbench.check.paired.paired_check import PairedCheck

    return PairedCheck(
        rule=rule,
        order_seed=seed,
        only=only or [],
        assignments=assign or [],
        variables=own,
        share_gpus=share_gpus,
        say=functools.partial(say, quiet=quiet),
    )
