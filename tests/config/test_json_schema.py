import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from liecbench.config import registry
from liecbench.config.json_schema import scenario_schema
from liecbench.config.loader import check
from liecbench.config.yaml_source import load, parse
from liecbench.errors import ScenarioError
from tests.scenarios import BASE, BUNDLED, edited

FULL = """\
name: everything
task:
  dataset: {name: digits}
  batch_size: 32
  epochs: 2
  schedule: {milestones: [1], factor: 0.5}
  momentum: 0.9
  weight_decay: 5.0e-4
  precision: bf16
  warmup_steps: 3
matrix:
  algorithm: [ddp, {name: liec, average_period: 8, task: {learning_rate: 1e-3, schedule: cosine}}]
  compressor: {name: top_k, ratio: 0.5}
  workers: 2
  link:
    - none
    - 20mbit
    - {up: 2.5mbit, down: 1gbit}
    - lte
    - {rate: 100MBIT, delay: 20MS}
    - {rate: 100 Mbit/s, delay: 20 msec, jitter: 500µs, loss: 1 percent, workers: {0: 12.5MB/s, 1: 10Gbps}}
    - 11.9 MiB/s
    - {rate: 50mbit, delay: 20ms, jitter: 2ms, loss: 0.1%, workers: {0: 1gbit, 1: {preset: wan, loss: 0%}}}
  seed: [0, 1]
  server: [root, sharded]
  learning_rate: [0.1, 1]
  model: [mlp, {name: mlp, width: 8}, "tests.own_tasks:linear", {name: "tests.own_tasks:linear", bias: false}]
  partition: [iid, {dirichlet: 0.1}]
exclude: [{algorithm: ddp, link: none}]
include: [{algorithm: psgd, workers: 4}]
server: root
block_bytes: whole
threads: 2
backend: gloo
device: cpu
enforcement: kernel
timing: end_to_end
baseline: liec
target_accuracy: 0.9
"""
MISTAKES = {
    "rate and up": BASE + "  link: {rate: 1mbit, up: 2mbit, down: 1mbit}\n",
    "up alone": BASE + "  link: {up: 2mbit}\n",
    "delay in no unit": BASE + "  link: {rate: 1mbit, delay: 5}\n",
    "no such preset": BASE + "  link: {preset: dsl}\n",
    "no such rank": BASE + "  link: {rate: 1mbit, workers: {one: 2mbit}}\n",
    "unknown key of a link": BASE + "  link: {rate: 1mbit, dely: 2ms}\n",
    "no key of a worker's link": BASE + "  link: {rate: 1mbit, workers: {1: {workers: {0: 2mbit}}}}\n",
    "null for a rate": BASE + "  link: {rate: null}\n",
    "loss without unit": BASE + "  link: {rate: 1mbit, loss: 0.1}\n",
    "unknown key": BASE + "servr: root\n",
    "unknown task key": edited("epochs: 2", "epochs: 2\n  epoch: 2"),
    "unknown axis": BASE + "  sede: [0]\n",
    "bool for an integer": edited("epochs: 2", "epochs: true"),
    "text for an integer": edited("epochs: 2", "epochs: '2'"),
    "fraction for an integer": edited("epochs: 2", "epochs: 2.5"),
    "text for a number": edited("0.1", "fast"),
    "zero rate": edited("0.1", "0.0"),
    "zero workers": edited("[2]", "[0]"),
    "no workers": edited("[2]", "[]"),
    "negative seed": BASE + "  seed: [-1]\n",
    "ratio 0": edited("[sign]", "[{name: top_k, ratio: 0}]"),
    "ratio 2": edited("[sign]", "[{name: top_k, ratio: 2}]"),
    "unknown option": edited("[sign]", "[{name: top_k, ration: 0.1}]"),
    "option of another": edited("[sign]", "[{name: sign, ratio: 0.1}]"),
    "unknown compressor": edited("[sign]", "[sing]"),
    "unknown algorithm": edited("[ddp, liec]", "[ddp, leic]"),
    "no name": edited("[sign]", "[{ratio: 0.1}]"),
    "dataset as model": edited("model: mlp", "model: digits"),
    "own task": edited("[ddp, liec]", "[ddp, {name: liec, task: {epoch: 1}}]"),
    "bits or bytes": BASE + "  link: 100MBPS\n",
    "block without unit": BASE + "block_bytes: 25M\n",
    "link without unit": BASE + "  link: [100]\n",
    "link text": BASE + "  link: fast\n",
    "link direction": BASE + "  link: {up: 1mbit}\n",
    "schedule": edited("0.1\n", "0.1\n  schedule: linear\n"),
    "milestones": edited("0.1\n", "0.1\n  schedule: {milestones: 3}\n"),
    "partition": edited("0.1\n", "0.1\n  partition: {dirichlet: 0}\n"),
    "partition's name": edited("0.1\n", "0.1\n  partition: dirichlet\n"),
    "precision": edited("0.1\n", "0.1\n  precision: fp16\n"),
    "momentum": edited("0.1\n", "0.1\n  momentum: 1.0\n"),
    "backend": BASE + "backend: mpi\n",
    "block": BASE + "block_bytes: half\n",
    "target": BASE + "target_accuracy: 90\n",
    "exclude": BASE + "exclude: [{algoritm: ddp}]\n",
    "include": BASE + "include: [{workers: 0}]\n",
    "name": edited("example", "../up"),
    "no algorithm": edited("  algorithm: [ddp, liec]\n", ""),
    "no task": "name: a\nmatrix: {algorithm: ddp, workers: 2}\n",
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(scenario_schema())


def mistakes(validator: jsonschema.Draft202012Validator, data: dict[str, Any]) -> list[str]:
    return [error.message for error in validator.iter_errors(data)]


def test_it_is_a_json_schema(validator: jsonschema.Draft202012Validator) -> None:
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    actual = (validator.schema["$schema"], validator.schema["additionalProperties"])

    assert actual == ("https://json-schema.org/draft/2020-12/schema", False)


def fields(node: Any, *, of_names: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the schema of every field, wherever the schema has it."""
    if isinstance(node, list):
        for item in node:
            yield from fields(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if of_names:
                yield key, value
            yield from fields(value, of_names=not of_names and key == "properties")


def test_every_field_has_a_description(validator: jsonschema.Draft202012Validator) -> None:
    found = list(fields(validator.schema))
    resolved = {name.removeprefix("#/$defs/"): one for name, one in validator.schema["$defs"].items()}

    def described(field: dict[str, Any]) -> bool:
        return "description" in field or described(resolved[field["$ref"].removeprefix("#/$defs/")])

    assert len(found) > 100
    assert [name for name, field in found if not described(field)] == []


def test_it_is_small_and_says_nothing_twice(validator: jsonschema.Draft202012Validator) -> None:
    printed = json.dumps(validator.schema, indent=2)

    assert len(printed) < 100_000
    # The options of a method or compressor stand at one place, with its name.
    assert {"liec", "top_k", "Matrix", "LinkKeys"} <= validator.schema["$defs"].keys()
    assert printed.count('"const": "liec"') == 1


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_the_bundled_scenarios_conform(validator: jsonschema.Draft202012Validator, path: Path) -> None:
    actual = mistakes(validator, load(path).data)

    assert actual == []


def test_the_starter_conforms(validator: jsonschema.Draft202012Validator) -> None:
    text = files("liecbench.cli").joinpath("starter.yaml").read_text(encoding="utf-8")

    assert mistakes(validator, parse(text, "starter.yaml").data) == []


@pytest.mark.parametrize("text", [BASE, FULL], ids=["least", "everything"])
def test_a_scenario_that_loads_conforms_to_the_schema(validator: jsonschema.Draft202012Validator, text: str) -> None:
    document = parse(text, "s.yaml")
    cells = check(document).cells()

    assert (len(cells) > 0, mistakes(validator, document.data)) == (True, [])


@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_loader_and_schema_refuse_the_same_mistakes(validator: jsonschema.Draft202012Validator, text: str) -> None:
    document = parse(text, "s.yaml")
    with pytest.raises(ScenarioError, match=r"^s\.yaml:\d+:\d+: "):
        check(document)

    assert mistakes(validator, document.data) != []


@pytest.mark.parametrize("kind", ["algorithm", "compressor", "dataset", "model"])
def test_every_name_and_option_can_be_completed(
    validator: jsonschema.Draft202012Validator, kind: registry.Kind
) -> None:
    shared = validator.schema["$defs"]

    def resolved(schema: dict[str, Any]) -> dict[str, Any]:
        return resolved(shared[schema["$ref"].removeprefix("#/$defs/")]) if "$ref" in schema else schema

    forms = map(resolved, resolved(shared["PartialCell"]["properties"][kind])["anyOf"])
    named = [form for form in forms if "const" in form.get("properties", {}).get("name", {})]
    offered = {form["properties"]["name"]["const"]: set(form["properties"]) - {"name", "task"} for form in named}
    expected = {name: set(registry.resolve(kind, name, {})) for name in registry.names(kind)}

    assert expected == offered
