"""Names, one line each, with their options and defaults."""

from rich.table import Table
from rich.text import Text

from liecbench import catalog


def render(kind: catalog.Kind) -> Table:
    """A table of what is installed of one kind."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("name", "options", "what it is"):
        table.add_column(heading, overflow="fold")
    for name in catalog.names(kind):
        cls = catalog.load(kind, name)
        fields = catalog.options_model(kind, name).model_fields.items()
        options = [option if field.is_required() else f"{option}={field.default}" for option, field in fields]
        table.add_row(Text(name), Text(", ".join(options) or "–"), Text(catalog.summary(cls)))
    return table
