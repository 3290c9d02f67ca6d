"""The JSON Schema of scenario files, with every installed name and option, for editors that complete and check them."""

from typing import Any

from liecbench.config.scenario import Scenario


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario file, including short forms such as a name without options."""
    return {
        **Scenario.model_json_schema(),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liecbench scenario",
    }
