"""The ``liecbench`` command: its subcommands and its entry point."""

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from liecbench import __version__
from liecbench.cli.bench import bench
from liecbench.cli.check import check
from liecbench.cli.compare import compare, report
from liecbench.cli.export import export
from liecbench.cli.name_lists import list_names
from liecbench.cli.open_report import open_report
from liecbench.cli.options import OutputFormat, TextOrJson
from liecbench.cli.predict import predict
from liecbench.cli.profiling import profile
from liecbench.cli.run import run
from liecbench.cli.starter import init
from liecbench.cli.stored_check import baseline
from liecbench.cli.theory import theory
from liecbench.cli.verify import verify
from liecbench.console.console import console, ignore_broken_pipe, ignore_unwritable_errors
from liecbench.console.plain_streams import make_streams_plain
from liecbench.errors import ExitCode, Interruption, LiecbenchError, is_disk_error
from liecbench.untrusted.plain_text import shortened

app = typer.Typer(
    help="Does gradient compression pay off on my network, which method, and what does it cost in accuracy?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help formatted by rich would triple the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(bench, name="bench")
app.add_typer(check, name="check")
app.command()(baseline)
data = typer.Typer(help="Download datasets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command()(run)
app.command()(profile)
app.command()(compare)
app.command()(report)
app.command()(predict)
app.command()(theory)
app.command()(export)
app.command()(verify)
app.command()(init)
app.command(name="open")(open_report)
app.command(name="list")(list_names)


@data.command(name="fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="DATASET", show_default=False)],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Target directory.", show_default="$LIECBENCH_DATA, ~/.cache/liecbench"),
    ] = None,
) -> None:
    """Download and check a dataset's official archive; an interrupted download continues."""
    from liecbench.tasks.archives import data_directory
    from liecbench.tasks.download import fetch

    fetch(name, to or data_directory(), console(stderr=True))


@app.command()
def doctor(output: OutputFormat = TextOrJson.TABLE) -> None:
    """Show what this machine can do, with a remedy for each 'no'."""
    import dataclasses
    import json

    from rich.text import Text

    from liecbench.diagnostics.doctor import examine

    if output == TextOrJson.JSON:
        found = [{**dataclasses.asdict(one), "remedy": "" if one.works else one.remedy} for one in examine()]
        with ignore_broken_pipe():
            print(json.dumps(found, indent=2))
        return
    screen = console()
    with ignore_broken_pipe():
        for diagnostic in examine():
            mark = Text("yes  ", style="green") if diagnostic.works else Text("no   ", style="yellow")
            remedy = "" if diagnostic.works else f"; {diagnostic.remedy}"
            screen.print(mark + Text(f"{diagnostic.name}: {diagnostic.seen}{remedy}", style=""), soft_wrap=True)


@app.command()
def schema(
    of_profile: Annotated[bool, typer.Option("--profile", help="Print that of a profile instead.")] = False,
) -> None:
    """Print the JSON Schema of a scenario file."""
    import json

    if of_profile:
        from liecbench.profiles.profile_file import profile_schema as described
    else:
        from liecbench.config.json_schema import scenario_schema as described
    with ignore_broken_pipe():
        print(json.dumps(described(), indent=2))


def main() -> NoReturn:
    """Run the ``liecbench`` command and exit; for an error that the user can fix, print one line, not a traceback."""
    make_streams_plain()
    gc.set_threshold(100_000)  # imports create no garbage, but collections would take a fifth of their time
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        try:
            code = app(prog_name="liecbench", standalone_mode=False)
        finally:
            with ignore_broken_pipe():  # the interpreter would exit with 120 if standard output could not be written
                pass
    except LiecbenchError as error:
        _print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if not error.filename and not is_disk_error(error):
            _exit_unexpectedly(error)
        # For a missing file or a full disk, the operating system's message is the most helpful.
        where = f"{error.filename}: " if error.filename else ""
        message = shortened(f"{where}{error.strerror or error}")
        _print_error(f"{message}; check the path and its disk")
        sys.exit(ExitCode.USAGE)
    except Interruption:
        raise
    except BaseException as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's, or typer's copy of click's
            _exit_with_usage(error)
        if isinstance(error, SystemExit) and "_LIECBENCH_COMPLETE" in os.environ:  # the shell asked for completions
            sys.exit(error.code)
        if isinstance(error, typer.Abort):  # the input of a prompt ended, as by Ctrl-D
            sys.exit(ExitCode.INTERRUPTED)
        # typer exits with 1 if a connection is closed, and a user's function with any code: 1 would mean a regression.
        cause = error.__context__ if isinstance(error, SystemExit) else None
        _exit_unexpectedly(cause if isinstance(cause, BrokenPipeError) else error)
    sys.exit(code)


def _print_error(message: str) -> None:
    with ignore_unwritable_errors():
        print(f"liecbench: {message}", file=sys.stderr)


def _exit_with_usage(error: Any) -> NoReturn:
    """Print the message of an error that typer raised, and exit with the error's exit code.

    If a subcommand is missing, as in ``liecbench data``, the message is the command's help. The middle of very long
    words and lines is cut out.
    """
    from liecbench.cli.usage_message import usage_message

    error.message = "\n".join(map(shortened, usage_message(error).split("\n")))
    with ignore_unwritable_errors():
        error.show()
    sys.exit(error.exit_code)


def _exit_unexpectedly(error: BaseException) -> NoReturn:
    from liecbench.cli.crash_report import exit_unexpectedly

    exit_unexpectedly(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Interruption
