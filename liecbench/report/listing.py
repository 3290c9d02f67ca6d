"""The lines of ``liecbench list``: registered names with their options and defaults."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from liecbench.config import registry


def lines(kind: registry.Kind) -> Iterator[str]:
    """Yield one line per registered name of ``kind``: the name, its options with their defaults, and a summary."""
    names = registry.names(kind)
    options = {name: _options(kind, name) for name in names}
    name_width, option_width = max(map(len, names)), max(map(len, options.values()))
    for name in names:
        summary = registry.summary(registry.load(kind, name))
        yield f"{name:{name_width}}  {options[name]:{option_width}}  {summary}"


def _options(kind: registry.Kind, name: str) -> str:
    fields = registry.options_model(kind, name).model_fields.items()
    return ", ".join(name if field.is_required() else f"{name}={_default(field)}" for name, field in fields) or "-"


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True)
