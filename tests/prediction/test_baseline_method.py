import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.prediction.baseline_method import with_baseline
from liecbench.prediction.named_methods import named_methods
from tests.scenarios import edited, scenario

DDP, LIEC, MEMSGD = (BaselineChoice(algorithm=name) for name in ("ddp", "liec", "memsgd"))


def cells() -> list[Cell]:
    methods = "[ddp, {name: liec, average_period: 4}, {name: liec, average_period: 8}, memsgd]"
    text = edited("[ddp, liec]", methods).replace("[sign]", "[{name: top_k, ratio: 0.5}]")
    return scenario(f"{text}server: root\nblock_bytes: 1KB\n").cells()


def test_a_baseline_that_is_no_method_is_added() -> None:
    methods = named_methods(["liec"], ["sign"], "root")

    assert [one.name for one in with_baseline(methods, DDP)] == ["ddp", "liec(sign)"]
    added, *others = with_baseline(methods, MEMSGD, compressors=["top_k"], server="root")
    assert (added.name, added.server, others) == ("memsgd(top_k)", "root", list(methods))
    assert with_baseline(methods, LIEC) == methods


def test_a_baseline_is_moved_to_the_front() -> None:
    methods = named_methods(["psgd", "liec:average_period=4", "liec:average_period=8"], ["sign"], "root")
    fixed = BaselineChoice(algorithm="liec", fixed={"average_period": 8})
    own = scenario(edited("[ddp, liec]", "[{name: liec, average_period: 8}]") + "server: root\n").cells()

    assert with_baseline(methods, LIEC) == (methods[1], methods[0], methods[2])
    assert with_baseline(methods, fixed, own) == (methods[2], methods[0], methods[1])


def test_a_scenarios_baseline_is_added_with_its_options_and_its_compressor() -> None:
    methods = named_methods(["psgd"], ["sign"], "sharded")

    (first, _), (second, _) = (with_baseline(methods, LIEC, cells(), given, "sharded") for given in (None, ["sign"]))

    assert [one.algorithm.options["average_period"] for one in (first, second)] == [4, 4]
    assert [one.compressor and one.compressor.model_dump() for one in (first, second)] == [
        {"name": "top_k", "ratio": 0.5},
        {"name": "sign"},
    ]
    # As those of the other methods of the command line.
    assert [(one.server, one.block_bytes) for one in (first, second)] == [("sharded", None)] * 2


def test_a_baseline_with_fields_is_added_as_its_cell_has_it() -> None:
    fixed = BaselineChoice(algorithm="liec", fixed={"average_period": 8})

    added, _ = with_baseline(named_methods(["psgd"], ["sign"], "sharded"), fixed, cells())

    assert (added.algorithm.options["average_period"], added.server, added.block_bytes) == (8, "root", 1000)


def test_a_baseline_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(LiecbenchError, match=r"--baseline memsdg: there is no such algorithm; did you mean memsgd\?"):
        with_baseline((), BaselineChoice(algorithm="memsdg"))
