"""Options and arguments that several subcommands of ``liecbench`` share."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioPath = Annotated[Path, typer.Argument(metavar="SCENARIO.yaml", show_default=False)]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="KEY=VALUE", help="Take only the cells whose field KEY is VALUE; repeatable."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a key of the scenario; repeatable."),
]
ShareGpus = Annotated[
    bool, typer.Option("--share-gpus", help="Let NCCL ranks share GPUs (experimental: NCCL does not support it).")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]
