import copy
import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from liecbench.config.cell import Cell
from liecbench.config.known_specs import alike_key, cell_id, check_spec, complete_spec, spec_from_json
from tests.ledgers import spec


@pytest.mark.parametrize("fields", [{}, {"seed": 7}, {"algorithm": "liec", "server": "root", "link": "none"}])
def test_a_spec_is_completed_as_the_cell_does(fields: dict[str, Any]) -> None:
    known = Cell.from_spec(spec(**fields)).spec()

    assert complete_spec(spec(**fields)) == known
    assert list(complete_spec(spec(**fields))) == list(known)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"seed": -1}, {"seed": True}, {"seed": 2**63}, {"seed": "0"}, {"link": "10 parsecs"}]
)
def test_what_is_no_spec_is_refused(wrong: dict[str, Any]) -> None:
    complete_spec(spec())
    check_spec(spec(), alike_key(spec()))
    with pytest.raises(ValidationError):
        complete_spec(spec(**wrong))
    with pytest.raises(ValidationError):
        check_spec(spec(**wrong), alike_key(spec(**wrong)))


def test_seeds_are_alike_and_nothing_else() -> None:
    assert alike_key(spec(seed=1)) == alike_key(spec(seed=2))
    assert alike_key(spec(workers=3)) != alike_key(spec(workers=2))


@pytest.mark.parametrize(
    "fields",
    [
        spec(seed=3),
        spec(seed=4),
        spec(seed=-1),
        spec(seed="3"),
        dict(reversed(spec(seed=3).items())),
        {"seed": 3},
        {"server": 1e-5, "seed": 3},
        {"link": "é \u2028", "seed": 3},
        {"link": {"b": 1, "a": 2**70}, "seed": 3, "task": {"seed": 0.1}},
    ],
)
def test_the_id_is_the_hash_of_the_sorted_json(fields: dict[str, Any]) -> None:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))

    for _ in range(2):  # the second time from the cache
        assert cell_id(fields, alike_key(fields)) == hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    "fields", [spec(seed=3), spec(seed=2**53), spec(name='"seed": 5, ', seed=1), {"a": 1, "seed": 0}]
)
def test_a_spec_is_parsed_as_json_is(fields: dict[str, Any]) -> None:
    for seed in (fields["seed"], 7, fields["seed"]):  # the last time from the cache
        expected = {**fields, "seed": seed}
        found = spec_from_json(json.dumps(expected).encode())

        assert found is not None
        assert (found, list(found)) == (expected, list(expected))
        assert alike_key(found) == alike_key(expected)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "seed": -1}',
        '{"a": 1, "seed": 1.0}',
        '{"a": 1, "seed": true}',
        '{"a": 1, "seed": 01}',
        '{"a": 1, "b": {"c": 1, "seed": 1}}',
        '{"a": 1, "seed": 1, "b": {"c": 1, "seed": 1}}',
        '{"a": 1, "seed": 1, "seed": 2}',
        '{"a": 1, "seed": 1, "\\u0073eed": 2}',
        '[{"a": 1, "seed": 1}]',
        "{}",
        "7",
    ],
)
def test_a_spec_without_a_usual_seed_is_left_to_the_validation(text: str) -> None:
    assert spec_from_json(text.encode()) is None


@pytest.mark.parametrize("text", ['{"a": , "seed": 1}', '{"a": 1, "seed": 1} 5', '"a, "seed": 1}'])
def test_a_spec_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"at line 1"):
        spec_from_json(text.encode())


def test_a_changed_spec_has_another_key() -> None:
    found = spec_from_json(json.dumps(spec(seed=1)).encode())
    assert found is not None
    copied, before = copy.deepcopy(found), alike_key(found)
    found["workers"] = 5
    copied["task"]["epochs"] = 9

    assert [alike_key(found), alike_key({**found, "workers": 2})] == [alike_key(spec(workers=5)), before]
    assert (dict, before) != (type(copied), alike_key(copied))
    assert alike_key(copied) == alike_key({**spec(), "task": {**spec()["task"], "epochs": 9}})
