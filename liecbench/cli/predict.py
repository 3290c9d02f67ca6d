"""The command ``liecbench predict``."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.cli.options import Compressors, Methods, OptionalScenarioPath, ProfilePath
from liecbench.cli.profiling import require_one_model
from liecbench.console.console import console, ignore_broken_pipe, say
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    from liecbench.config.cell import Cell
    from liecbench.config.scenario import Scenario
    from liecbench.network.link_map import LinkMap
    from liecbench.prediction.predictions import Predictions
    from liecbench.prediction.profile_sources import ProfileSource

_WORKERS, _LINKS = "2,8,64", "100mbit,1gbit,10gbit"


class PredictionFormat(StrEnum):
    """The output formats of predictions."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


def predict(
    context: typer.Context,
    scenario: OptionalScenarioPath = None,
    profile: ProfilePath = None,
    workers: Annotated[
        str | None, typer.Option(metavar="N,…", help="Numbers of workers.", show_default="the scenario's, or 2,8,64")
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(metavar="RATE,…", help="Rates or presets.", show_default=f"the scenario's, or {_LINKS}"),
    ] = None,
    delay: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="One way of one link; a round trip has four.", show_default=False),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(metavar="N", help="In place of a profile: parameters, such as 30M.", show_default=False),
    ] = None,
    step_seconds: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --parameters: seconds that a step computes, or 150ms.", show_default=False
        ),
    ] = None,
    algorithm: Methods = None,
    compressor: Compressors = None,
    compress_gbytes_per_second: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="With --parameters: GB/s of compressing and of decompressing; default: measure it.",
            min=1e-3,
            max=1e6,
        ),
    ] = None,
    ranks_per_node: Annotated[
        int, typer.Option(metavar="N", min=1, max=1024, help="Workers per node; --link is then the node's.")
    ] = 1,
    inner_link: Annotated[
        str | None, typer.Option(metavar="RATE", help="Rate of each worker's link inside its node.", show_default=False)
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Algorithm to compare with.", show_default="the scenario's, or ddp"),
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="PLACE", help="root or sharded.", show_default="the scenario's, or sharded")
    ] = None,
    transport: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Output of bench exchange or bench link --format json.", show_default="assumed costs"
        ),
    ] = None,
    validate: Annotated[
        Path | None,
        typer.Option(metavar="RESULTS", help="Predict every measured row of results, and print the errors."),
    ] = None,
    output: Annotated[PredictionFormat, typer.Option("--format", help="How to print it.")] = PredictionFormat.TABLE,
) -> None:
    """Predict the step times and break-evens of methods on a network, without using the network.

    Also predict, for each method, the lowest link rates at which computing takes 50 %, 75 %, 90 %, 95 % and 99 % of
    a step.
    """
    from liecbench.prediction.transport_choice import transport_costs

    if validate is not None:
        from liecbench.cli.predict_validation import refuse_other_options, validate_results
        from liecbench.profiles.profile_file import read_profile

        refuse_other_options(context)
        given = read_profile(profile) if profile is not None else None
        validate_results(validate, profile, transport_costs(transport, given), output.value)
        return
    from liecbench.prediction.option_differences import option_differences
    from liecbench.prediction.prediction_inputs import methods_of, parse_delay, parse_workers
    from liecbench.prediction.prediction_request import Request
    from liecbench.prediction.predictions import predict as make
    from liecbench.prediction.recorded_request import RecordedRequest
    from liecbench.prediction.requested_methods import requested_methods, requested_setting

    loaded = _load(scenario) if scenario is not None else None
    cells = loaded.cells() if loaded is not None else []
    methods = requested_methods(loaded, algorithm or (), compressor or (), server, baseline)
    own_workers = tuple(sorted({cell.workers for cell in cells}))
    source = _profile_source(loaded, profile, parameters, step_seconds, compress_gbytes_per_second)
    asked = parse_workers(workers) if workers is not None else own_workers or parse_workers(_WORKERS)
    delay_seconds = parse_delay(delay) if delay is not None else None
    links = _links(cells, link, delay_seconds)
    request = Request(
        profile=source.outline,
        methods=methods,
        baseline=methods[0],
        workers=asked,
        links=links,
        costs=transport_costs(transport, source.outline),
        ranks_per_node=ranks_per_node,
        inner_bits_per_second=_inner_rate(ranks_per_node, inner_link),
        baseline_setting=requested_setting(loaded, baseline, delay_seconds).apart_from(asked, links),
        scenario=scenario if parameters is None and any(cell.is_trained for cell in cells) else None,
    )
    # A measurement takes minutes: what can be refused without it is refused before it.
    recorded = RecordedRequest.of(request)
    if scenario is not None:
        for line in option_differences(methods, methods_of(cells), scenario, with_compressor=not compressor):
            say(line, quiet=False)
    found = source.profile(recorded, lambda line: say(line, quiet=False))
    _print(make(dataclasses.replace(request, profile=found), recorded), output)


def _load(path: Path) -> "Scenario":
    from liecbench.config.loader import load_scenario

    return load_scenario(path)


def _links(cells: "list[Cell]", link: str | None, delay_seconds: float | None) -> "tuple[LinkMap, ...]":
    from liecbench.prediction.prediction_inputs import parse_links, with_delay

    own = dict.fromkeys(with_delay(cell.link, delay_seconds) for cell in cells if cell.link.shaped)
    return tuple(own) if own and link is None else parse_links(_LINKS if link is None else link, delay_seconds)


def _inner_rate(ranks_per_node: int, inner_link: str | None) -> float | None:
    from liecbench.prediction.prediction_inputs import parse_rate

    if ranks_per_node > 1 and inner_link is None:
        raise LiecbenchError(
            "--ranks-per-node: the links inside nodes have no rate", "add --inner-link, such as 200gbit"
        )
    if ranks_per_node == 1 and inner_link is not None:
        raise LiecbenchError("--inner-link: each worker is a node of its own", "add --ranks-per-node, such as 8")
    return None if inner_link is None else parse_rate("--inner-link", inner_link)


def _profile_source(
    scenario: "Scenario | None",
    path: Path | None,
    parameters: str | None,
    step_seconds: str | None,
    gbytes_per_second: float | None,
) -> "ProfileSource":
    from liecbench.prediction.prediction_inputs import parse_count, parse_step_seconds, require_same_model
    from liecbench.prediction.profile_sources import AssumedNumbers, KnownProfile, MeasuredModel
    from liecbench.profiles.profile_file import read_profile

    cells = scenario.cells() if scenario is not None else []
    _check_sources(cells, path, parameters, step_seconds, gbytes_per_second)
    if parameters is not None and step_seconds is not None:
        return AssumedNumbers(
            num_parameters=parse_count("--parameters", parameters),
            step_seconds=parse_step_seconds(step_seconds),
            compress_gbytes_per_second=gbytes_per_second,
        )
    require_one_model(cells, "give a scenario with one of them")
    if path is not None:
        found = read_profile(path)
        if cells:
            require_same_model(found, cells[0], str(path))
        return KnownProfile(outline=found)
    if scenario is not None and scenario.profiles:
        return KnownProfile(outline=scenario.profiles[0].profile)
    if cells[0].device == "cuda":
        from liecbench.launch.gpu_requirements import Cuda

        Cuda.found().require_kernels("device: cuda", "or give --profile FILE, measured on a GPU")
    return MeasuredModel(cells=cells)


def _check_sources(
    cells: "list[Cell]",
    profile: Path | None,
    parameters: str | None,
    seconds: str | None,
    gbytes_per_second: float | None,
) -> None:
    if (parameters is None) != (seconds is None):
        given, missing = ("--parameters", "--step-seconds") if seconds is None else ("--step-seconds", "--parameters")
        raise LiecbenchError(f"{given} needs {missing}, too", f"add {missing}, or give --profile FILE")
    if parameters is not None and profile is not None:
        raise LiecbenchError("--profile has parameters and times already", "remove --parameters and --step-seconds")
    if not cells and profile is None and parameters is None:
        raise LiecbenchError(
            "nothing says what a step computes",
            "give SCENARIO.yaml, or --profile FILE, or --parameters 30M --step-seconds 0.15",
        )
    if gbytes_per_second is not None and parameters is None:
        raise LiecbenchError(
            "--compress-gbytes-per-second: a profile has the times of each compressor",
            "remove it, or give --parameters and --step-seconds",
        )


def _print(found: "Predictions", output: PredictionFormat) -> None:
    from liecbench.report import prediction_page

    with ignore_broken_pipe():
        match output:
            case PredictionFormat.TABLE:
                console().print(prediction_page.terminal(found))
            case PredictionFormat.MARKDOWN:
                print(prediction_page.markdown(found), end="")
            case PredictionFormat.JSON:
                print(prediction_page.to_json(found), end="")
            case PredictionFormat.CSV:
                print(prediction_page.to_csv(found), end="")
