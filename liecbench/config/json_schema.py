"""The scenario's JSON Schema, with every name and option that is installed here, for editors to complete and check."""

from typing import Any

from liecbench.config.scenario import Scenario


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario file as people write it, short forms included."""
    return {
        **Scenario.model_json_schema(),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liecbench scenario",
    }
