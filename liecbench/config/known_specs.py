"""Validate and hash the specs of thousands of cells quickly: specs that differ only in the seed are validated once."""

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import canonical, digest

_MOST_SEED: Final = 2**63 - 1
_MOST_SPECS: Final = 2**16
_SEED: Final = re.compile(rb', "seed": (0|[1-9][0-9]{0,17})[,}]')
_SEED_KEY: Final = b'"seed":'


class KnownSpec(dict[str, Any]):
    """The fields of a cell by name, with a cache of the key that ``alike_key`` computes from the fields.

    The key is equal for cells that differ only in the seed. Do not change nested mappings, because several objects
    share them.
    """

    __slots__ = ("alike",)
    alike: bytes | None

    @classmethod
    def of(cls, others: Mapping[str, Any], alike: bytes, seed: int) -> "KnownSpec":
        """Return the spec with the fields ``others`` and the seed ``seed``, and cache the key ``alike`` in the spec.

        Args:
            others: The fields of the spec by name. A seed among them is replaced.
            alike: The result of ``alike_key(others)``, a key that is equal for specs that differ only in the seed.
            seed: The seed of the spec.
        """
        found = cls(others, seed=seed)
        found.alike = alike
        return found

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a field, and discard the cached ``alike_key``."""
        self.alike = None
        super().__setitem__(name, value)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Make ``copy`` and ``pickle`` return the spec as a plain dict, without the cached ``alike_key``."""
        return dict, (dict(self),)


def spec_from_json(text: bytes) -> KnownSpec | None:
    """Return a cell's spec from its JSON text in a ledger; None if the caller must parse the text instead.

    The seed is cut out of the text before parsing, so that texts that differ only in the seed are parsed once. The
    result is None if the seed cannot be cut out reliably.

    Raises:
        ValueError: If the seed was cut out, but the text is not JSON.
    """
    # The matched text can only be a key, because JSON escapes quotes within texts. A seed that is nested, above
    # 10^18 - 1, or the first key is refused, and so is a text with two seeds.
    found = _SEED.search(text)
    if found is None or text.count(_SEED_KEY) != 1:
        return None
    template = _template(b"%b0%b" % (text[: found.start(1)], text[found.end(1) :]))
    return None if template is None else KnownSpec.of(*template, int(found[1]))


@functools.lru_cache(maxsize=_MOST_SPECS)
def _template(text: bytes) -> tuple[dict[str, Any], bytes] | None:
    spec = from_json(text)
    is_usual = isinstance(spec, dict) and spec.get("seed") == 0
    return (spec, alike_key(spec)) if is_usual else None


def complete_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cell's spec, with the default value of each field that ``spec`` lacks.

    ``spec`` may be from an earlier version of liecbench. Do not change mappings within the result, because other cells'
    specs contain them too.

    Raises:
        ValidationError: If ``spec`` is not the spec of a cell.
    """
    if not _has_usual_seed(spec):
        return Cell.from_spec(dict(spec)).spec()
    return KnownSpec.of(*_completed(alike_key(spec)), spec["seed"])


def check_spec(spec: Mapping[str, Any], alike: bytes) -> None:
    """Raise ValidationError if ``spec`` is not the spec of a cell.

    Args:
        spec: The fields by name.
        alike: The result of ``alike_key(spec)``, which is equal for specs that differ only in the seed. Keys of valid
            specs are cached. If the cache has the key, only the seed is validated.
    """
    if _has_usual_seed(spec):
        _check(alike)
    else:
        Cell.from_spec(dict(spec))


def cell_id(spec: Mapping[str, Any], alike: bytes) -> str:
    """Return the id of the cell with ``spec``: the value of ``digest(spec)``, computed faster.

    ``alike`` is the value of ``alike_key(spec)``, which is equal for cells that differ only in the seed.
    """
    if not _has_usual_seed(spec):
        return digest(spec)
    known = _AROUND_SEED.get(alike)
    if known is None:
        if len(_AROUND_SEED) >= _MOST_SPECS:
            _AROUND_SEED.clear()
        known = _AROUND_SEED[alike] = _around_seed(spec)
    before, after = known
    return hashlib.sha256(b"%b%d%b" % (before, spec["seed"], after)).hexdigest()[:12]


def alike_key(spec: Mapping[str, Any]) -> bytes:
    """Return a key that is equal for cells that differ only in the seed."""
    known: bytes | None = getattr(spec, "alike", None)
    if known is not None:
        return known
    others = dict(spec)
    others.pop("seed", None)
    return to_json(others, inf_nan_mode="constants")


def _has_usual_seed(spec: Mapping[str, Any]) -> bool:
    seed = spec.get("seed")
    return type(seed) is int and 0 <= seed <= _MOST_SEED


# The canonical JSON of specs before and after the value of the seed, by ``alike_key``.
_AROUND_SEED: Final[dict[bytes, tuple[bytes, bytes]]] = {}


def _around_seed(spec: Mapping[str, Any]) -> tuple[bytes, bytes]:
    before = canonical({name: value for name, value in spec.items() if name < "seed"})[:-1]
    after = canonical({name: value for name, value in spec.items() if name > "seed"})[1:]
    comma_before, comma_after = ("" if text in "{}" else "," for text in (before, after))
    return f'{before}{comma_before}"seed":'.encode(), f"{comma_after}{after}".encode()


@functools.lru_cache(maxsize=_MOST_SPECS)
def _check(alike: bytes) -> None:
    Cell.from_spec({**from_json(alike), "seed": 0})


@functools.lru_cache(maxsize=_MOST_SPECS)
def _completed(alike: bytes) -> tuple[dict[str, Any], bytes]:
    spec = Cell.from_spec({**from_json(alike), "seed": 0}).spec()
    return spec, alike_key(spec)
