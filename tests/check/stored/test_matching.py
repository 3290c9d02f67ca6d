from typing import Any

import pytest

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.matching import (
    CellMatch,
    Kind,
    differences_from_nearest,
    labels,
    match_cells,
    nearest_candidates,
)
from tests.check.stored_results import ENVIRONMENT, cell


def entry(**fields: Any) -> BaselineCell:
    return BaselineCell.of(cell(**fields))


def differing(kind: Kind, **fields: Any) -> list[str]:
    return CellMatch(baseline=entry(), current=entry(**fields)).differences(kind)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 0),
        ({"link": "none"}, 0),
        ({"threads": 2}, 0),
        ({"timing": "composed"}, 0),
        ({"enforcement": "process"}, 0),
        ({"environment": {"torch": "3.0"}}, 0),
        ({"seed": 1}, None),
        ({"workers": 4}, None),
        ({"algorithm": "liec"}, None),
        ({"compressor": {"name": "sign"}}, None),
        ({"server": "root"}, None),
        ({"block_bytes": "whole"}, None),
        ({"backend": "nccl", "device": "cuda"}, None),
        ({"task": {"epochs": 3}}, None),
    ],
    ids=str,
)
def test_cells_match_if_they_send_the_same_bytes(fields: dict[str, Any], expected: int | None) -> None:
    assert [expected] == match_cells([entry(**fields)], [entry()])


@pytest.mark.parametrize(
    ("fields", "numerics", "time"),
    [
        ({}, [], []),
        ({"environment": {"torch": "3.0"}}, ["torch: 2.6.0 in the baseline, 3.0 here"], None),
        ({"environment": {"cpu": "Model B"}}, ["cpu: Model A in the baseline, Model B here"], None),
        ({"environment": {"data_sha256": None}}, ["data_sha256: aaaaaaaaaaaa in the baseline, none here"], None),
        ({"threads": 2}, ["threads: 1 in the baseline, 2 here"], None),
        ({"link": {"up": "20mbit", "down": "50mbit"}}, [], ["link: 20mbit in the baseline, 20mbit↑ 50mbit↓ here"]),
        ({"timing": "composed"}, [], ["timing: measured in the baseline, composed here"]),
        ({"enforcement": "process"}, [], ["enforcement: kernel in the baseline, process here"]),
        (
            {"environment": {"link": {**ENVIRONMENT["link"], "congestion_control": "bbr"}}},
            [],
            ["congestion_control: reno in the baseline, bbr here"],
        ),
    ],
    ids=str,
)
def test_fields_that_differ_are_named(fields: dict[str, Any], numerics: list[str], time: list[str] | None) -> None:
    expected = numerics, numerics if time is None else time

    assert expected == (differing("numerics", **fields), differing("time", **fields))


CUDA = {"device": "cuda", "backend": "nccl"}
NCCL = {"version": "2.27.5", "shared_gpus": False, "transport": "any"}


def on_gpus(names: list[str], **changes: Any) -> BaselineCell:
    return entry(**CUDA, environment={"gpu": {"names": names, "driver": "1"}, "nccl": {**NCCL, **changes}})


@pytest.mark.parametrize(
    ("current", "wire", "numerics"),
    [
        (on_gpus(["Model G"]), [], []),
        (on_gpus(["Model H"]), [], ['gpus: ["Model G"] in the baseline, ["Model H"] here']),
        (on_gpus(["Model G"] * 2), [], ['gpus: ["Model G"] in the baseline, ["Model G", "Model G"] here']),
        (
            on_gpus(["Model G"], shared_gpus=True, transport="socket"),
            *[
                [
                    'nccl: {"version": "2.27.5", "shared_gpus": false, "transport": "any"} in the baseline, '
                    '{"version": "2.27.5", "shared_gpus": true, "transport": "socket"} here'
                ]
            ]
            * 2,
        ),
    ],
)
def test_gpus_and_nccl_are_part_of_the_machine(current: BaselineCell, wire: list[str], numerics: list[str]) -> None:
    match = CellMatch(baseline=on_gpus(["Model G"]), current=current)

    assert (wire, numerics, numerics) == (
        match.differences("wire"),
        match.differences("numerics"),
        match.differences("time"),
    )


def test_an_unused_gpu_makes_no_difference() -> None:
    assert differing("time", environment={"gpu": {"names": ["Model G"]}}) == []


@pytest.mark.parametrize("fields", [{"threads": 2}, {"timing": "composed"}, {"environment": {"cpu": "B"}}], ids=str)
def test_wire_bytes_depend_on_the_link_alone(fields: dict[str, Any]) -> None:
    expected = ["link: 20mbit in the baseline, 5mbit here"]

    assert ([], expected) == (differing("wire", **fields), differing("wire", link="5mbit", **fields))


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ({}, 0),
        ({"link": "5mbit"}, 1),
        ({"link": "5mbit", "environment": {"cpu": "Model B"}}, 2),
        ({"link": "9mbit", "environment": {"cpu": "Model B"}}, 2),
    ],
)
def test_the_most_similar_of_several_cells_matches(current: dict[str, Any], expected: int) -> None:
    stored = [entry(), entry(link="5mbit"), entry(link="5mbit", environment={"cpu": "Model B"})]

    assert [expected] == match_cells([entry(**current)], stored)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ({"task": {"batch_size": 64}}, ["batch_size: 32 in the baseline, 64 here"]),
        ({"seed": 7}, ["seed: 3 in the baseline, 7 here"]),
        ({"workers": 8, "link": "5mbit"}, ["workers: 2 in the baseline, 8 here"]),
        (
            {"compressor": {"name": "top_k", "ratio": 0.1}, "algorithm": "liec"},
            ["ratio: 0.01 in the baseline, 0.1 here"],
        ),
        (
            {"algorithm": "psgd", "task": {"schedule": {"milestones": [2], "factor": 0.1}}},
            [
                "algorithm: ddp in the baseline, psgd here",
                'schedule: none in the baseline, {"milestones": [2], "factor": 0.1} here',
            ],
        ),
    ],
    ids=str,
)
def test_differences_are_those_from_the_nearest_cell(current: dict[str, Any], expected: list[str]) -> None:
    stored = [entry(seed=3), entry(algorithm="liec", compressor={"name": "top_k", "ratio": 0.01})]
    seed = {"seed": 3, **current} if current.get("algorithm") != "liec" else current

    assert expected == differences_from_nearest(entry(**seed), nearest_candidates(stored))


def test_of_thousands_of_cells_the_first_of_some_groups_are_candidates() -> None:
    stored = [entry(seed=seed, workers=workers) for workers in range(2, 253) for seed in (4, 5)]

    assert [fields["workers"] for fields in nearest_candidates(stored)] == list(range(2, 202))
    assert {fields["seed"] for fields in nearest_candidates(stored)} == {4}
    assert len(nearest_candidates(stored[:500])) == 500


def test_cells_that_differ_in_the_seed_have_the_same_key() -> None:
    assert [entry().keys.without_seed == entry(**f).keys.without_seed for f in ({"seed": 5}, {"link": "none"})] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([{}], ["ddp · 2 workers"]),
        ([{}, {"workers": 4}], ["ddp · 2 workers", "ddp · 4 workers"]),
        ([{}, {"algorithm": "liec", "compressor": {"name": "sign"}}], ["ddp · 2 workers", "liec sign · 2 workers"]),
        ([{}, {"task": {"batch_size": 64}}], ["ddp · 2 workers · batch size 32", "ddp · 2 workers · batch size 64"]),
        ([{}, {"server": "root"}], ["ddp · 2 workers", "ddp · 2 workers · server root"]),
        (
            [{"link": {"up": "5mbit", "down": "9mbit"}}, {}, {"algorithm": "psgd"}],
            ["ddp · 2 workers · link 5mbit↑ 9mbit↓", "ddp · 2 workers · link 20mbit", "psgd · 2 workers · link 20mbit"],
        ),
    ],
    ids=str,
)
def test_a_label_has_the_fields_that_differ(cells: list[dict[str, Any]], expected: list[str]) -> None:
    assert expected == labels([entry(**fields) for fields in cells])
