from typing import Any

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_choice import BlockChoice
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.prediction.baseline_method import WantedBaseline, with_baseline
from liecbench.prediction.named_methods import named_methods
from tests.scenarios import edited, scenario

BLOCKS = BlockChoice(block_bytes=1000)
PSGD = named_methods(["psgd"], ["sign"], "sharded")


def wanted(name: str, *, of_scenario: bool = True, fixed: dict[str, Any] | None = None, **parts: Any) -> WantedBaseline:
    choice = BaselineChoice(algorithm=name, fixed=fixed or {})
    return WantedBaseline(choice=choice, is_of_scenario=of_scenario, **parts)


def cells() -> list[Cell]:
    methods = "[ddp, {name: liec, average_period: 4}, {name: liec, average_period: 8}, memsgd]"
    text = edited("[ddp, liec]", methods).replace("[sign]", "[{name: top_k, ratio: 0.5}]")
    return scenario(f"{text}server: root\nblock_bytes: 1KB\n").cells()


def test_a_baseline_that_is_no_method_is_added() -> None:
    methods = named_methods(["liec"], ["sign"], "root")

    assert [one.name for one in with_baseline(methods, wanted("ddp"))] == ["ddp", "liec(sign)"]
    added, *others = with_baseline(methods, wanted("memsgd", compressors=["top_k"], server="root", blocks=BLOCKS))
    assert (added.name, added.server, added.block_bytes, others) == ("memsgd(top_k)", "root", 1000, list(methods))
    assert with_baseline(methods, wanted("liec")) == methods


def test_a_baseline_is_moved_to_the_front() -> None:
    methods = named_methods(["psgd", "liec:average_period=4", "liec:average_period=8"], ["sign"], "root")
    fixed = {"average_period": 8}
    own = scenario(edited("[ddp, liec]", "[{name: liec, average_period: 8}]") + "server: root\n").cells()

    assert with_baseline(methods, wanted("liec")) == (methods[1], methods[0], methods[2])
    assert with_baseline(methods, wanted("liec", fixed=fixed, cells=own)) == (methods[2], methods[0], methods[1])


@pytest.mark.parametrize(("of_scenario", "fixed"), [(True, {}), (False, {}), (True, {"average_period": 4})])
def test_an_added_baseline_is_that_of_its_cell_but_for_given_options(of_scenario: bool, fixed: dict[str, Any]) -> None:
    parts: dict[str, Any] = {"of_scenario": of_scenario, "fixed": fixed, "cells": cells(), "blocks": BLOCKS}
    added = [
        with_baseline(PSGD, wanted("liec", **parts, **options))[0]
        for options in ({}, {"compressors": ["qsgd", "sign"]}, {"server": "sharded"})
    ]

    assert [one.algorithm.options["average_period"] for one in added] == [4, 4, 4]
    assert [one.block_bytes for one in added] == [1000, 1000, 1000]
    assert [one.server for one in added] == ["root", "root", "sharded"]
    compressors = [one.compressor.model_dump() for one in added if one.compressor is not None]
    # LIEC keeps an error memory, which needs a contraction; QSGD is none.
    assert compressors == [{"name": "top_k", "ratio": 0.5}, {"name": "sign"}, {"name": "top_k", "ratio": 0.5}]


@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ({"server": "root"}, ("block_sign", "root", 5 * 2**20)),
        ({"compressor": "top_k"}, ("top_k", "sharded", 25 * 2**20)),
        ({"ratio": 0.5}, ("top_k", "sharded", 25 * 2**20)),
        ({"block_bytes": 25 * 2**20}, ("block_sign", "sharded", 25 * 2**20)),
        ({"average_period": 8}, ("block_sign", "sharded", 5 * 2**20)),
    ],
)
def test_options_do_not_change_what_the_choice_fixes(fixed: dict[str, Any], expected: tuple[str, str, int]) -> None:
    own = [cell.model_copy(update={"block_bytes": 25 * 2**20}) for cell in cells()]
    options: dict[str, Any] = {"compressors": ["block_sign"], "server": "sharded"}

    added, _ = with_baseline(PSGD, wanted("liec", fixed=fixed, cells=own, **options))

    assert added.compressor is not None
    assert (added.compressor.name, added.server, added.block_bytes) == expected


def test_a_method_that_is_the_baseline_with_the_given_options_is_not_added_again() -> None:
    methods = named_methods(["liec:average_period=8"], ["sign"], "sharded", BLOCKS)
    options: dict[str, Any] = {"compressors": ["sign"], "server": "sharded", "blocks": BLOCKS}

    assert with_baseline(methods, wanted("liec", fixed={"average_period": 8}, cells=cells(), **options)) == methods


def test_methods_with_other_blocks_are_not_the_baseline() -> None:
    # Blocks of 2 and of 4 MiB have DDP buckets of the same size.
    own = scenario(edited("[ddp, liec]", "[liec]") + "block_bytes: 4MiB\n").cells()
    methods = named_methods(["liec"], ["sign"], "sharded", BlockChoice(block_bytes=2 * 2**20))

    found = with_baseline(methods, wanted("liec", fixed={"workers": 2}, cells=own))

    assert [one.block_bytes for one in found] == [4 * 2**20, 2 * 2**20]


def test_an_added_baseline_accumulates_as_its_cell_does() -> None:
    own = scenario(edited("[ddp, liec]", "[{name: ddp, task: {accumulate: 4}}, liec]")).cells()

    added, other = with_baseline(PSGD, wanted("ddp", cells=own))

    assert (added.accumulate, other.accumulate) == (4, 1)
    assert added.update is not None


def test_a_baseline_whose_cell_has_no_compressor_gets_only_one_that_is_given() -> None:
    own = scenario(edited("[ddp, liec]", "[diloco]").replace("  compressor: [sign]\n", "")).cells()
    given: tuple[tuple[str, ...], ...] = ((), ("sign",))

    added = [with_baseline(PSGD, wanted("diloco", cells=own, compressors=names))[0].name for names in given]

    assert added == ["diloco", "diloco(sign)"]


@pytest.mark.parametrize("fixed", [{}, {"average_period": 8}])
def test_a_scenarios_baseline_without_a_fitting_compressor_is_named_as_such(fixed: dict[str, Any]) -> None:
    remedy = "; add --baseline ddp, or give another --compressor"

    with pytest.raises(LiecbenchError, match=f"^the scenario's baseline liec: .* only a contraction .*{remedy}$"):
        with_baseline(PSGD, wanted("liec", fixed=fixed, cells=cells(), compressors=["qsgd"]))


def test_another_baseline_without_a_fitting_compressor_is_named_by_its_option() -> None:
    for own in (cells(), []):
        asked = wanted("liec", of_scenario=False, cells=own, compressors=["qsgd"])
        with pytest.raises(LiecbenchError, match=r"^--baseline liec: .* only a contraction .*; give another --comp"):
            with_baseline(PSGD, asked)


def test_a_baseline_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(LiecbenchError, match=r"--baseline memsdg: there is no such algorithm; did you mean memsgd\?"):
        with_baseline((), wanted("memsdg", of_scenario=False))
