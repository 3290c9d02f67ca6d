"""The command ``liecbench init``."""

import re
import shlex
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from liecbench.console.console import say
from liecbench.errors import LiecbenchError

# What the starter has for the built-in models whose input is no vector.
_DATASETS: Final = {
    "cnn": "synthetic",
    "resnet18": "synthetic",
    "resnet34": "synthetic",
    "gpt": "text",
}
_MOST_WORKERS: Final = 1000


def init(path: Annotated[Path, typer.Argument(metavar="[FILE]")] = Path("scenario.yaml")) -> None:
    """Write a commented starter scenario; on a terminal, ask for its model, network and number of workers."""
    if path.exists():
        raise LiecbenchError(f"{path} exists already", "give another name, or remove it")
    text = files("liecbench.cli").joinpath("starter.yaml").read_text(encoding="utf-8")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100] or "scenario"
    text = text.replace("my-network", name)
    if sys.stdin.isatty() and sys.stdout.isatty():
        text = _with_answers(text)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise LiecbenchError(f"{path} exists already", "give another name, or remove it") from None
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", "give a path that can be written") from None
    say(f"wrote {path}; next: liecbench run {shlex.quote(str(path))} --dry-run", quiet=False)


def _with_answers(text: str) -> str:
    """Ask for the model, network and number of workers, and return the starter scenario ``text`` with the answers."""
    model = _asked("Model (`liecbench list models`, or module:function)", "mlp", _checked_model)
    link = _asked("Network of each worker (such as 20mbit, 1gbit, lte, or none)", "20mbit", _checked_link)
    workers = _asked("Number of workers", "4", _checked_workers)
    return answered(text, model=model, link=link, workers=workers)


def answered(text: str, *, model: str, link: str, workers: str) -> str:
    """Return the text of the starter scenario, with the given model, network and number of workers filled in.

    The dataset and the target are adapted to the model.

    Args:
        text: The YAML text of the starter scenario.
        model: A built-in model such as ``resnet18``, or a user's model as ``module:function``.
        link: The network of each worker, such as ``20mbit``.
        workers: The number of workers, such as ``4``.
    """
    if model != "mlp":
        text = text.replace("{name: mlp, width: 256, layers: 2}", f'"{model}"' if ":" in model else model)
        text = text.replace("dataset: digits ", f"dataset: {_DATASETS.get(model, 'digits')} ")
    if model == "gpt":
        text = text.replace("target_accuracy: 0.8         # for time and bytes to accuracy", "# target_loss: 2.5")
    return text.replace("link: [20mbit]", f"link: [{link}]").replace("workers: [4]", f"workers: [{workers}]")


def _asked(question: str, default: str, check: Callable[[str], str]) -> str:
    """Ask until ``check`` accepts the answer (raises no ValueError), and return what ``check`` returned.

    ``default`` is the answer if the user only presses Enter.
    """
    while True:
        given: str = typer.prompt(question, default=default)
        try:
            return check(given.strip())
        except ValueError as error:
            say(str(error), quiet=False)


def _checked_model(given: str) -> str:
    from liecbench.config import registry
    from liecbench.config.user_functions import PATTERN
    from liecbench.errors import did_you_mean

    names = registry.names("model")
    if given not in names and not re.fullmatch(PATTERN, given):
        raise ValueError(f"{given!r} is no model; {did_you_mean(given, names)}")
    return given


def _checked_link(given: str) -> str:
    from liecbench.network.link_map import LinkMap

    LinkMap.parse(given)
    return given


def _checked_workers(given: str) -> str:
    if not given.isdecimal() or not 1 <= int(given[:9]) <= _MOST_WORKERS:
        raise ValueError(f"{given!r} is no number of workers; write one from 1 to {_MOST_WORKERS}")
    return given
