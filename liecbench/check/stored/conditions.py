"""The conditions of a stored cell, by which a check decides which metrics of two cells can be compared.

The conditions are facts of the cell's environment, such as the version of torch, and the settings that do not change
the bytes that a method sends, such as the link.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer
from pydantic_core import from_json

from liecbench.config.cell_fields import LATER_CELL_FIELDS, link_text
from liecbench.config.choice import Model
from liecbench.config.known_specs import alike_key
from liecbench.network.link_record import LinkRecord
from liecbench.results.environment_record import Environment, NcclRecord

# Cell fields that do not change the bytes that a method sends.
IRRELEVANT_FOR_BYTES: Final = (
    *("link", "threads", "timing", "enforcement", "emulator"),
    *("compute", "profile", "dilation"),
)

_MOST_KEYS: Final = 2**16
_SORTED: Final = json.JSONEncoder(sort_keys=True)


class StoredEnvironment(Model):
    """The fields of a cell's environment that decide which metrics can be compared; an unrecorded field is None."""

    torch: str | None = None
    cpu: str | None = None
    data_sha256: str | None = None
    link: LinkRecord | None = None
    gpus: list[str] | None = None
    nccl: NcclRecord | None = None

    @classmethod
    @functools.lru_cache(maxsize=1000)
    def of(cls, recorded: Environment) -> Self:
        """Copy from ``recorded`` the fields that a baseline stores."""
        fields = {name: getattr(recorded, name) for name in cls.model_fields if name != "gpus"}
        return cls(**fields, gpus=None if recorded.gpu is None else list(recorded.gpu.names))

    @model_serializer(mode="wrap")
    def _omit_new_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields by name, without newer ones that are None, so that earlier versions can read the file."""
        fields: dict[str, Any] = serialise(self)
        if self.link is not None:
            fields["link"] = {name: value for name, value in fields["link"].items() if value is not None}
        return {name: value for name, value in fields.items() if value is not None or name not in ("gpus", "nccl")}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpecKeys:
    """The parts of a cell's spec by which a check groups cells, and finds a cell's match in the baseline.

    Attributes:
        without_seed: The spec without the seed, as text.
        of_bytes: The spec without the seed and without the fields in ``settings``, as text.
        settings: The fields that cannot change the bytes that a method sends, such as ``threads``, by name.
        on_gpus: True if the cell runs on GPUs.
    """

    without_seed: str
    of_bytes: str
    settings: Mapping[str, Any]
    on_gpus: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "SpecKeys":
        """Return the ``SpecKeys`` of a cell with the spec ``spec``.

        Cells that differ only in the seed share one object.
        """
        return _spec_keys(alike_key(spec))


@functools.lru_cache(maxsize=_MOST_KEYS)
def _spec_keys(alike: bytes) -> SpecKeys:
    spec = from_json(alike)
    relevant = {name: value for name, value in spec.items() if name not in IRRELEVANT_FOR_BYTES}
    settings = {name: spec.get(name, LATER_CELL_FIELDS.get(name)) for name in IRRELEVANT_FOR_BYTES}
    return SpecKeys(
        without_seed=_SORTED.encode(spec),
        of_bytes=_SORTED.encode(relevant),
        settings={**settings, "link": link_text(spec["link"])},
        on_gpus=spec["device"] == "cuda",
    )


def conditions(keys: SpecKeys, environment: StoredEnvironment) -> Mapping[str, Any]:
    """Return a cell's conditions by name, such as ``threads`` and ``torch``.

    A check compares a metric of two cells only if the conditions on which the metric depends are equal. The condition
    ``gpus`` is None unless the cell runs on GPUs.

    Args:
        keys: The keys of the cell. All of ``keys.settings``, such as ``threads``, become conditions.
        environment: The cell's environment. Its facts, such as the version of torch, become conditions, too.
    """
    link, gpus = environment.link, environment.gpus if keys.on_gpus else None
    return _conditions(
        keys,
        environment.torch,
        environment.cpu,
        None if gpus is None else tuple(gpus),
        environment.nccl,
        environment.data_sha256 and environment.data_sha256[:12],
        None if link is None else link.emulator,
        None if link is None else link.congestion_control,
    )


@functools.lru_cache(maxsize=_MOST_KEYS)
def _conditions(
    keys: SpecKeys,
    torch: str | None,
    cpu: str | None,
    gpus: tuple[str, ...] | None,
    nccl: NcclRecord | None,
    data_sha256: str | None,
    link_emulator: str | None,
    congestion_control: str | None,
) -> Mapping[str, Any]:
    return {
        **keys.settings,
        "torch": torch,
        "cpu": cpu,
        "gpus": None if gpus is None else list(gpus),
        "nccl": nccl and dataclasses.asdict(nccl),
        "data_sha256": data_sha256,
        "link_emulator": link_emulator,
        "congestion_control": congestion_control,
    }
