"""The links that the option ``--link`` of a benchmark asks for."""

from collections.abc import Sequence

import yaml

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap


def parse_links(texts: Sequence[str]) -> list[LinkMap]:
    """Parse the values of ``--link``, and drop duplicates.

    Raises:
        LiecbenchError: If a text is not a link, or if it is ``none`` or ``host``, which are not shaped.
    """
    links = []
    for text in texts:
        try:
            links.append(LinkMap.parse(yaml.safe_load(text) if text.lstrip().startswith("{") else text))
        except (ValueError, yaml.YAMLError) as error:
            raise LiecbenchError(f"--link {text}: {error}") from None
    if unshaped := [text for text, link in zip(texts, links, strict=True) if not link.shaped]:
        raise LiecbenchError(
            f"--link {unshaped[0]}: an unshaped link has no limit to compare with", "give a rate or a preset"
        )
    return list(dict.fromkeys(links))
