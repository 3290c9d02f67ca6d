"""The JSON Schema of a choice: every name that is installed here, each with the options of that name alone."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from liecbench.config import registry, user_functions

_FUNCTION = {"type": "string", "pattern": user_functions.PATTERN, "description": "module:function of your own"}


@dataclass(frozen=True, slots=True)
class Installed:
    """An annotation for a choice's type: its JSON Schema offers the installed names of one kind.

    A choice is written as a bare name, or as a mapping of a name and its options. Datasets and models may also be
    functions of the user's.
    """

    kind: registry.Kind

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        own = handler.resolve_ref_schema(handler(core))["properties"]
        shared = {name: schema for name, schema in own.items() if name not in ("name", "options")}
        names = registry.names(self.kind)
        forms = [{"enum": names}, *(self._form(name, shared) for name in names)]
        if self.kind in ("dataset", "model"):
            mapping = {"type": "object", "properties": {"name": _FUNCTION}, "required": ["name"]}
            forms += [_FUNCTION, mapping]
        return {"anyOf": forms}

    def _form(self, name: str, shared: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a mapping that chooses ``name``."""
        description = registry.summary(registry.load(self.kind, name))
        options = registry.options_model(self.kind, name).model_json_schema().get("properties", {})
        return {
            "type": "object",
            "properties": {"name": {"const": name, "description": description}, **options, **shared},
            "required": ["name"],
            "additionalProperties": False,
        }
