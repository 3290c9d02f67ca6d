"""A console on which no text can act as a control code."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from liecbench.console.plain_streams import drop
from liecbench.untrusted.plain_text import printable


class PlainConsole(Console):
    """A Rich console that escapes control characters in texts, but not those of Rich's own colours and animations."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, with the control characters in their texts escaped."""
        for segment in super().render(renderable, options):
            plain = segment.text if segment.control else printable(segment.text)
            yield segment if plain == segment.text else segment._replace(text=plain)

    def on_broken_pipe(self) -> None:
        """Print nothing more, and go on. Rich would end the process."""
        drop(self.file)
