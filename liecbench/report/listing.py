"""Names, one line each, with their options and defaults."""

from collections.abc import Iterator

from liecbench import catalog


def lines(kind: catalog.Kind) -> Iterator[str]:
    """What is installed of one kind: name, options with their defaults, what it is."""
    names = catalog.names(kind)
    options = {name: _options(kind, name) for name in names}
    name_width, option_width = max(map(len, names)), max(map(len, options.values()))
    for name in names:
        summary = catalog.summary(catalog.load(kind, name))
        yield f"{name:{name_width}}  {options[name]:{option_width}}  {summary}"


def _options(kind: catalog.Kind, name: str) -> str:
    fields = catalog.options_model(kind, name).model_fields.items()
    return ", ".join(option if field.is_required() else f"{option}={field.default}" for option, field in fields) or "-"
