import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from liecbench.algorithms import LIEC, AllReduce
from liecbench.compressors import Sign, TopK
from liecbench.config import registry
from liecbench.tasks.digits import Digits
from liecbench.tasks.mlp import MLP

PLUGIN = """
from dataclasses import dataclass
from torch import nn
from liecbench.tasks.base import Model

@dataclass(frozen=True)
class Linear(Model):
    def build(self, input_shape, num_classes):
        return nn.Linear(64, num_classes)
"""
CLASH = """
from liecbench import errors
from liecbench.config import registry
try:
    registry.names("model")
except errors.LiecbenchError as error:
    print(error)
"""


def install(site: Path, package: str, entry: str) -> None:
    """A third party's package, as pip leaves it."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[liecbench.tasks]\n{entry}\n")


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nsys.path.append({str(site)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("algorithm", {"ddp", "doublesqueeze", "liec", "memsgd", "psgd"}),
        ("compressor", {"identity", "sign", "top_k"}),
        ("dataset", {"digits"}),
        ("model", {"mlp"}),
    ],
)
def test_the_built_ins_are_there_in_alphabetical_order(kind: registry.Kind, expected: set[str]) -> None:
    actual = registry.names(kind)

    assert (set(), sorted(actual)) == (expected - set(actual), actual)


def test_datasets_and_models_are_kept_apart() -> None:
    both = set(registry.names("dataset")) & set(registry.names("model"))

    assert set() == both


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("algorithm", "liec", LIEC),
        ("compressor", "top_k", TopK),
        ("dataset", "digits", Digits),
        ("model", "mlp", MLP),
    ],
)
def test_names_load_their_classes(kind: registry.Kind, name: str, expected: type) -> None:
    actual = registry.load(kind, name)

    assert expected is actual


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("algorithm", "leic", "there is no algorithm 'leic' (did you mean liec?)"),
        ("compressor", "topk", "there is no compressor 'topk' (did you mean top_k?)"),
        ("dataset", "digit", "there is no dataset 'digit' (did you mean digits?)"),
        ("model", "digits", "'digits' is not a model ("),
        ("dataset", "mlp", "'mlp' is not a dataset ("),
    ],
)
def test_unknown_names_suggest_the_nearest(kind: registry.Kind, name: str, expected: str) -> None:
    with pytest.raises(registry.OptionError) as raised:
        registry.load(kind, name)

    assert ("name", expected) == (raised.value.option, str(raised.value)[: len(expected)])


@pytest.mark.parametrize(
    ("kind", "name", "options", "expected"),
    [
        ("algorithm", "ddp", {}, {}),
        ("algorithm", "liec", {}, {"average_period": 32, "rescale_memory": False}),
        ("algorithm", "liec", {"average_period": 8}, {"average_period": 8, "rescale_memory": False}),
        ("compressor", "sign", {}, {}),
        ("compressor", "top_k", {}, {"ratio": 0.01}),
        ("compressor", "top_k", {"ratio": 1}, {"ratio": 1.0}),
        ("model", "mlp", {"width": 8}, {"width": 8, "layers": 2}),
    ],
)
def test_options_are_checked_and_completed(
    kind: registry.Kind, name: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    actual = registry.resolve(kind, name, options)

    assert expected == actual


@pytest.mark.parametrize(
    ("kind", "name", "options", "option", "message"),
    [
        ("compressor", "top_k", {"ration": 0.1}, "ration", "top_k has no option 'ration' (did you mean ratio?)"),
        ("compressor", "sign", {"ratio": 0.1}, "ratio", "sign has no option 'ratio' (it takes none)"),
        ("compressor", "top_k", {"ratio": 0}, "ratio", "0 should be above 0 (`liecbench list compressors`"),
        ("compressor", "top_k", {"ratio": 2}, "ratio", "2 should be at most 1 (`liecbench list"),
        ("compressor", "top_k", {"ratio": True}, "ratio", "true should be a number (`liecbench list"),
        (
            "compressor",
            "top_k",
            {"ratio": "0.1"},
            "ratio",
            "'0.1' should be a number; write 0.1 without",
        ),
        ("compressor", "top_k", {"ratio": float("nan")}, "ratio", "nan should be a finite number (`liecbench list"),
        (
            "algorithm",
            "liec",
            {"average_period": 2.0},
            "average_period",
            "2.0 should be a whole number; write 2 (",
        ),
        ("algorithm", "liec", {"average_period": 0}, "average_period", "0 should be at least 1 ("),
        ("algorithm", "liec", {"server": "root"}, "server", "liec has no option 'server' ("),
    ],
)
def test_wrong_options_are_named(
    kind: registry.Kind, name: str, options: dict[str, Any], option: str, message: str
) -> None:
    with pytest.raises(registry.OptionError) as raised:
        registry.resolve(kind, name, options)

    assert (option, message) == (raised.value.option, str(raised.value)[: len(message)])


def test_all_wrong_options_are_named() -> None:
    with pytest.raises(registry.OptionError) as raised:
        registry.resolve("model", "mlp", {"widht": 8, "layers": -1, "depth": 1})
    first = raised.value

    assert [error.option for error in (first, *first.further)] == ["widht", "depth", "layers"]


@pytest.mark.parametrize(
    ("cls", "expected"),
    [(AllReduce, (False, False)), (LIEC, (True, True)), (registry.load("algorithm", "psgd"), (False, True))],
)
def test_algorithms_say_what_they_take(cls: type, expected: tuple[bool, bool]) -> None:
    actual = (registry.takes(cls, "compressor"), registry.takes(cls, "server"))

    assert expected == actual


def test_a_summary_is_the_first_line() -> None:
    actual = registry.summary(Sign)

    assert actual == "C(v) = mean|v| · sign(v), 1 bit per parameter and one float32 scale; sign(±0) = +1."


@pytest.mark.parametrize("kind", ["algorithm", "compressor", "dataset", "model"])
def test_every_class_is_a_dataclass_with_a_summary(kind: registry.Kind) -> None:
    poor = [
        name
        for name in registry.names(kind)
        if not dataclasses.is_dataclass(registry.load(kind, name)) or not registry.load(kind, name).__doc__
    ]

    assert poor == []


def test_third_parties_stand_beside_the_built_ins(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    install(tmp_path, "plugin", "linear = plugin:Linear")
    code = (
        "from liecbench.config import registry; print(registry.names('model'), registry.resolve('model', 'linear', {}))"
    )
    done = python(tmp_path, code)

    assert (done.stdout, done.stderr) == ("['cnn', 'gpt', 'linear', 'mlp', 'resnet18', 'resnet34'] {}\n", "")


def test_a_name_that_two_packages_claim_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "plugin", "mlp = plugin:Linear")
    actual = python(tmp_path, CLASH).stdout
    both = "liecbench (liecbench.tasks.mlp:MLP) and plugin (plugin:Linear)"

    assert f"two packages call themselves 'mlp' in liecbench.tasks: {both}; uninstall one\n" == actual
