"""The scenario's JSON Schema, with every name and option that is installed here, for editors to complete and check."""

from typing import Any

from liecbench.config import registry
from liecbench.config.cell import Task
from liecbench.config.scenario import Scenario
from liecbench.network.link import PRESETS

_RATE: dict[str, Any] = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kmgKMG][bB][iI][tT]$"}
_DELAY = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*([uU][sS]|[mM][sS]|[sS])$"}
_PRESET = {"enum": list(PRESETS)}
_WIRE: dict[str, Any] = {
    "preset": _PRESET,
    "rate": _RATE,
    "up": _RATE,
    "down": _RATE,
    "delay": {**_DELAY, "description": "one way, on each of the two links that a message passes"},
    "jitter": _DELAY,
    "loss": {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
}
_WORKER = {"anyOf": [_RATE, _PRESET, {"type": "object", "properties": _WIRE, "additionalProperties": False}]}
_WORKERS = {
    "type": "object",
    "patternProperties": {r"^\d{1,3}$": _WORKER},
    "additionalProperties": False,
    "description": "what single workers have instead, by rank",
}
_FUNCTION = {"type": "string", "pattern": r"^[\w.]+:\w+$", "description": "module:function of your own"}
_LINK = {
    "anyOf": [
        {"enum": ["none", "host", *PRESETS]},
        _RATE,
        {
            "type": "object",
            "properties": {**_WIRE, "workers": _WORKERS},
            "anyOf": [{"required": ["rate"]}, {"required": ["up", "down"]}, {"required": ["preset"]}],
            "dependentRequired": {"up": ["down"], "down": ["up"]},
            "not": {"required": ["rate", "up"]},
            "additionalProperties": False,
        },
    ]
}


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a scenario file as people write it, short forms included."""
    plain = Scenario.model_json_schema()
    task = _task_properties()
    point = {
        "algorithm": _choice("algorithm", {"task": _object(task)}),
        "compressor": _choice("compressor"),
        "workers": {"type": "integer", "minimum": 1},
        "link": _LINK,
        "seed": {"type": "integer", "minimum": 0},
        "server": {"enum": ["root", "sharded"]},
        **task,
    }
    axes = {name: {"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1}]} for name, kind in point.items()}
    top = {name: kind for name, kind in plain["properties"].items() if "$ref" not in str(kind)}
    top["task"] = _object(task)
    top["matrix"] = {**_object(axes), "required": ["algorithm", "workers"]}
    top["exclude"] = top["include"] = {"type": "array", "items": _object(point)}
    schema = {**_object(top), "required": ["name", "task", "matrix"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liecbench scenario",
        **schema,
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _task_properties() -> dict[str, Any]:
    schema = Task.model_json_schema()
    milestones, dirichlet = schema["$defs"]["Milestones"], schema["$defs"]["Dirichlet"]
    properties: dict[str, Any] = dict(schema["properties"])
    properties["dataset"], properties["model"] = _choice("dataset"), _choice("model")
    properties["partition"] = {**properties["partition"], "anyOf": [{"const": "iid"}, dirichlet]}
    properties["schedule"] = {"anyOf": [{"const": "cosine"}, {"type": "null"}, milestones]}
    return properties


def _choice(kind: registry.Kind, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """A bare name, or a mapping of a name and the options of that name alone; of data and models also a function's."""
    forms: list[dict[str, Any]] = [{"enum": registry.names(kind)}]
    for name in registry.names(kind):
        cls = registry.load(kind, name)
        options = registry.options_model(kind, name).model_json_schema().get("properties", {})
        form = _object({"name": {"const": name, "description": registry.summary(cls)}, **options, **(more or {})})
        forms.append({**form, "required": ["name"]})
    if kind in ("dataset", "model"):
        options = {"type": "object", "properties": {"name": _FUNCTION}, "required": ["name"]}
        forms += [_FUNCTION, options]
    return {"anyOf": forms}
