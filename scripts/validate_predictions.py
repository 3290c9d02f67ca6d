#!/usr/bin/env python
"""Predict cells that the model was not fitted to, run them, and print the error of every prediction.

    .venv/bin/python scripts/validate_predictions.py [--quick] [--replay] [--out DIR]

The transport's constants are fitted to a model on few workers and two links. Predicted, and printed, are all other
cells: other links (between the fitted ones, and with delay), other numbers of workers, and another model.

``--quick`` fits on 2 workers and predicts 2 workers on other links, for a few methods: about ten minutes on 2 cores.
Without it, the fit is on 2 and 4 workers, and 8 workers, another model and a server on rank 0 are predicted, too:
hours.

Where workers × threads exceed the machine's cores, measured times are not those of workers with cores of their own, and
are flagged ``cpu_bound``. ``--replay`` replays each model's profile over the links instead and trains nothing, for
fewer cells and a sharded server only: about half an hour (estimated). A directory that has results already is
completed, not measured anew.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from liecbench.prediction.cost_fit import fit_costs
from liecbench.prediction.measured_steps import MeasuredStep, comparison_with_added, measured_steps
from liecbench.prediction.step_predictor import StepPredictor, stored_profiles
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.validation import joined, validate
from liecbench.profiles.profile_file import read_profile
from liecbench.report import validation_table

FIT_LINKS: Final[list[Any]] = ["20mbit", "1gbit"]
SLOW_AND_DELAYED: Final[list[Any]] = ["100mbit", {"rate": "100mbit", "delay": "5ms"}]
SERVER_METHODS: Final = ["psgd", "memsgd", "liec", "doublesqueeze", "local_sgd"]
ALL_METHODS: Final = ["ddp", "ddp_bf16", "powersgd", *SERVER_METHODS]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Workers and links to measure with one model."""

    model: str
    workers: list[int]
    links: list[Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Cells to measure. The constants are fitted to the first part's model on ``fit_workers`` and ``FIT_LINKS``."""

    methods: list[str]
    servers: list[str]
    fit_workers: list[int]
    parts: list[Part]


MODELS: Final[dict[str, dict[str, Any]]] = {
    "mlp": {"dataset": "digits", "model": {"name": "mlp", "width": 512, "layers": 3}, "batch_size": 64},
    "cnn": {"dataset": "digits", "model": "cnn", "batch_size": 32},
}
ALL_LINKS: Final = [*FIT_LINKS, "10mbit", *SLOW_AND_DELAYED]
QUICK: Final = Plan(
    methods=["ddp", "powersgd", "psgd", "memsgd", "liec"],
    servers=["sharded"],
    fit_workers=[2],
    parts=[Part(model="mlp", workers=[2], links=[*FIT_LINKS, *SLOW_AND_DELAYED])],
)
REPLAY: Final = Plan(
    methods=ALL_METHODS,
    servers=["sharded"],
    fit_workers=[2, 4],
    parts=[
        Part(model="cnn", workers=[2, 4], links=[*FIT_LINKS, *SLOW_AND_DELAYED]),
        Part(model="cnn", workers=[8], links=["100mbit"]),
        Part(model="mlp", workers=[2], links=["100mbit", "1gbit"]),
    ],
)
FULL: Final = Plan(
    methods=ALL_METHODS,
    servers=["sharded", "root"],
    fit_workers=[2, 4],
    parts=[Part(model=model, workers=[2, 4, 8], links=ALL_LINKS) for model in MODELS],
)


def main() -> None:
    """Measure, fit, predict, and print the error table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few cells, in minutes")
    parser.add_argument("--replay", action="store_true", help="replay each model's profile instead of computing")
    parser.add_argument("--out", type=Path, default=Path("results/predictions"), help="directory of all results")
    options = parser.parse_args()
    plan = QUICK if options.quick else REPLAY if options.replay else FULL
    options.out.mkdir(parents=True, exist_ok=True)
    directories = [
        measure(plan, number, server, options.out, replay=options.replay)
        for number in range(len(plan.parts))
        for server in plan.servers
    ]
    print_table(plan, directories, options.out, replay=options.replay)


def measure(plan: Plan, number: int, server: str, out: Path, *, replay: bool) -> Path:
    """Measure part ``number`` of the plan with a place of the server, and return the results directory."""
    part = plan.parts[number]
    path, profile = out / f"part{number}-{server}.yaml", profile_of(part.model, out)
    content = scenario(plan, part, server)
    path.write_text(json.dumps(content))
    if not profile.exists():
        liecbench("profile", path, "-o", profile)
    if replay:
        del content["compute"]
        path.write_text(json.dumps({**content, "task": {"profile": profile.name}}))
    results = path.with_suffix("")
    liecbench("run", path, "--out", results, "--quiet")
    return results


def profile_of(model: str, out: Path) -> Path:
    """Return the file of a model's profile."""
    return out / f"{model}.profile.json"


def scenario(plan: Plan, part: Part, server: str) -> dict[str, Any]:
    """Return the scenario of a part and a place of the server. Methods without a server are in the first one only."""
    first = server == plan.servers[0]
    methods = plan.methods if first else [name for name in plan.methods if name in SERVER_METHODS]
    return {
        "name": f"predictions-{part.model}-{server}",
        "task": {**MODELS[part.model], "epochs": 2, "learning_rate": 0.05},
        "matrix": {"algorithm": methods, "compressor": ["sign"], "workers": part.workers, "link": part.links},
        "server": server,
        "baseline": methods[0],
        "break_even_rates": 0,
        "timing_precision": 0.1,
        "compute": "measured",
    }


def liecbench(*arguments: object) -> None:
    """Run a command of liecbench; its output goes to standard error. Exit with its code if it fails."""
    command = [sys.executable, "-m", "liecbench", *map(str, arguments)]
    print("$", " ".join(command[1:]), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def print_table(plan: Plan, directories: list[Path], out: Path, *, replay: bool) -> None:
    """Fit the transport's constants, predict all other cells, and print the errors as Markdown."""
    models = list(dict.fromkeys(part.model for part in plan.parts))
    if replay:
        profiles = [one for directory in directories for one in stored_profiles(directory)]
        first = Path(stored_profiles(directories[0])[0][0]).stem
    else:
        profiles = [(str(file), read_profile(file)) for file in (profile_of(model, out) for model in models)]
        first = models[0]
    fit_links = {str(link) for link in FIT_LINKS}

    def is_fitted(one: MeasuredStep) -> bool:
        own = one.cell
        model = own.task.profile or own.task.model.name
        return model == first and own.workers in plan.fit_workers and str(own.link) in fit_links

    comparisons = [comparison_with_added(directory) for directory in directories]
    start = dataclasses.replace(TransportCosts(), step_seconds=1e-3)
    predictor = StepPredictor(profiles, start)
    fitted = [one for comparison in comparisons for one in measured_steps(comparison) if is_fitted(one)]
    costs = fit_costs(fitted, predictor, start)
    found = [validate(one, predictor.with_costs(costs), lambda step: not is_fitted(step)) for one in comparisons]
    print(validation_table.markdown(joined(found), costs), end="")


if __name__ == "__main__":
    main()
