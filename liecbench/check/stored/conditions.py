"""The conditions of a stored cell: its environment, and the settings that do not change the bytes sent."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

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
        """Return the fields of a recorded environment that a baseline stores."""
        fields = {name: getattr(recorded, name) for name in cls.model_fields if name != "gpus"}
        return cls(**fields, gpus=None if recorded.gpu is None else list(recorded.gpu.names))

    @model_serializer(mode="wrap")
    def _omit_new_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out newer fields that are None: versions without these fields can then read the file."""
        fields: dict[str, Any] = serialise(self)
        if self.link is not None:
            fields["link"] = {name: value for name, value in fields["link"].items() if value is not None}
        return {name: value for name, value in fields.items() if value is not None or name not in ("gpus", "nccl")}


class SpecKeys(NamedTuple):
    """Texts that are equal for specs with the same values.

    Attributes:
        without_seed: The key of all fields but the seed.
        of_bytes: The key of the fields, but the seed, that can change the bytes that a method sends.
    """

    without_seed: str
    of_bytes: str

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "SpecKeys":
        """Return the keys of a spec. Specs that differ only in the seed share the texts."""
        return _spec_keys(alike_key(spec))


@functools.lru_cache(maxsize=_MOST_KEYS)
def _spec_keys(alike: bytes) -> SpecKeys:
    spec = from_json(alike)
    relevant = {name: value for name, value in spec.items() if name not in IRRELEVANT_FOR_BYTES}
    return SpecKeys(without_seed=_SORTED.encode(spec), of_bytes=_SORTED.encode(relevant))


def conditions(spec: Mapping[str, Any], environment: StoredEnvironment) -> dict[str, Any]:
    """Return a cell's environment, and those of its settings that do not change the bytes sent, by name."""
    return {
        **{name: spec.get(name, LATER_CELL_FIELDS.get(name)) for name in IRRELEVANT_FOR_BYTES},
        "link": link_text(spec["link"]),
        "torch": environment.torch,
        "cpu": environment.cpu,
        "gpus": environment.gpus if spec["device"] == "cuda" else None,
        "nccl": environment.nccl and dataclasses.asdict(environment.nccl),
        "data_sha256": environment.data_sha256 and environment.data_sha256[:12],
        "link_emulator": environment.link and environment.link.emulator,
        "congestion_control": environment.link and environment.link.congestion_control,
    }
