"""The part of the scenario's JSON Schema that lists the installed algorithms, compressors, datasets and models."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from liecbench.config import registry, user_functions

_FUNCTION = {"type": "string", "pattern": user_functions.PATTERN, "description": "module:function of your own"}


@dataclass(frozen=True, slots=True)
class Installed:
    """A marker for ``Annotated``: a field with this marker names an installed class of ``kind``, such as a dataset.

    The field's JSON Schema accepts each installed name, either bare or in a mapping with the options of the class.
    For datasets and models it also accepts a user's function ``module:function``.
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
        """Return the JSON Schema of a mapping that names the installed class ``name`` and may set its options.

        ``shared`` has the schemas of further keys that the mapping may have, by key.
        """
        description = registry.summary(registry.load(self.kind, name))
        options = registry.options_model(self.kind, name).model_json_schema().get("properties", {})
        return {
            "type": "object",
            "properties": {"name": {"const": name, "description": description}, **options, **shared},
            "required": ["name"],
            "additionalProperties": False,
        }
