"""The subcommands of ``liecbench bench``."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from liecbench.console.console import console, ignore_broken_pipe, say
from liecbench.errors import ExitCode
from liecbench.prediction.exchange_limits import DEFAULT_SIZE

if TYPE_CHECKING:
    from liecbench.bench.benchmark_result import BenchmarkResult

bench = typer.Typer(
    help="Microbenchmarks, each against its physical limit measured in the same run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class BenchmarkFormat(StrEnum):
    """The output formats of a benchmark."""

    TABLE = "table"
    JSON = "json"


class Device(StrEnum):
    """The device that a benchmark computes on."""

    CPU = "cpu"
    CUDA = "cuda"


# A vector has at most 2³¹ − 1 elements, because compressors store positions as int32.
Size = Annotated[
    int, typer.Option(metavar="N", min=1, max=2**31 - 1, help="Elements per vector; by default ResNet-18's.")
]
Workers = Annotated[int, typer.Option(metavar="N", min=2, max=1000, help="Ranks, each with its own link.")]
BenchmarkOutput = Annotated[BenchmarkFormat, typer.Option("--format", help="How to print the results.")]


@bench.command(name="compressors")
def bench_compressors(
    size: Size = DEFAULT_SIZE,
    device: Annotated[Device, typer.Option(help="The device that holds the vectors.")] = Device.CPU,
    output: BenchmarkOutput = BenchmarkFormat.TABLE,
) -> None:
    """Time compressors on a random vector, on one CPU thread or a GPU. Show each time next to that of a plain copy."""
    import torch

    from liecbench.bench.compression import measure
    from liecbench.launch.gpu_requirements import Cuda

    if device is Device.CUDA:
        Cuda.found().require_kernels(f"--device {device}", "or use --device cpu")
    _print_benchmark(measure(size, lambda line: say(line, quiet=False), torch.device(device)), output, device)


@bench.command(name="link")
def bench_link(
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZE", help="Bytes, or a size such as 64KiB; repeatable.", show_default="64 KiB, 1 MiB, 16 MiB"
        ),
    ] = None,
    workers: Workers = 4,
    link: Annotated[
        list[str] | None,
        typer.Option(metavar="LINK", help="A rate or a preset; repeatable.", show_default="1, 10, 100mbit, 1gbit"),
    ] = None,
    output: BenchmarkOutput = BenchmarkFormat.TABLE,
) -> None:
    """Time messages and torch's collectives over shaped links. Show each time next to the least possible time."""
    from liecbench.bench.asked_links import parse_links
    from liecbench.bench.asked_sizes import parse_sizes
    from liecbench.bench.link_benchmark import benchmark_link
    from liecbench.diagnostics.link_support import require_emulator

    links = parse_links(link or ["1mbit", "10mbit", "100mbit", "1gbit"])
    sizes = parse_sizes(size or ["64KiB", "1MiB", "16MiB"])
    require_emulator((link, "auto") for link in links)
    _print_benchmark(benchmark_link(sizes, workers, links, lambda line: say(line, quiet=False)), output)


@bench.command(name="exchange")
def bench_exchange(
    size: Size = DEFAULT_SIZE,
    workers: Workers = 4,
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link", "--rate", metavar="LINK", help="A rate or a preset; repeatable.", show_default="100mbit, 1gbit"
        ),
    ] = None,
    output: BenchmarkOutput = BenchmarkFormat.TABLE,
) -> None:
    """Time training steps over shaped links. Show each time next to the wire time of the bytes that a step sends."""
    from liecbench.bench.asked_links import parse_links
    from liecbench.bench.exchange_benchmark import benchmark_exchange
    from liecbench.diagnostics.link_support import require_emulator

    links = parse_links(link or ["100mbit", "1gbit"])
    require_emulator((link, "auto") for link in links)
    _print_benchmark(benchmark_exchange(size, workers, links, lambda line: say(line, quiet=False)), output)


def _print_benchmark(result: "BenchmarkResult", output: BenchmarkFormat, device: Device = Device.CPU) -> NoReturn:
    from liecbench.host import gpu, machine
    from liecbench.report import benchmark_table

    place = machine.describe(threads=1)
    if device is Device.CUDA:
        import torch

        # Ask torch: NVML lists GPUs in another order, and also those that are hidden from torch.
        place = {"gpu": torch.cuda.get_device_name(), "driver": gpu.installed().driver or "unknown", **place}
    with ignore_broken_pipe():
        match output:
            case BenchmarkFormat.TABLE:
                console().print(benchmark_table.render(result, place))
            case BenchmarkFormat.JSON:
                print(benchmark_table.to_json(result.rows, place))
    for failure in result.failures:
        print(f"liecbench: {failure}", file=sys.stderr)
    raise typer.Exit(ExitCode.CELL_FAILED if result.failures else ExitCode.DONE)
