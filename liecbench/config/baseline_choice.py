"""The baseline that a scenario chooses: an algorithm and optional values of other fields, such as ``workers: 2``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from liecbench.config.cell_fields import field_text, flat_fields
from liecbench.config.method_labels import option_label
from liecbench.errors import LiecbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChoice:
    """The choice of the cells (training runs) that are the baseline, with which others are compared.

    Attributes:
        algorithm: The name of the baseline's algorithm, such as ``ddp``.
        fixed: Values of other fields that the baseline's cells must have, such as ``{"workers": 2}``. Other cells need
            not have these values to be compared with the baseline.
    """

    algorithm: str
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: "str | Mapping[str, Any] | BaselineChoice") -> Self:
        """Convert a scenario's ``baseline``, such as ``ddp`` or ``{algorithm: liec, workers: 2}``, to a choice.

        Raises:
            LiecbenchError: If a mapping has no algorithm.
        """
        if isinstance(value, BaselineChoice):
            return cls(algorithm=value.algorithm, fixed=value.fixed)
        if isinstance(value, str):
            return cls(algorithm=value)
        fields = dict(value)
        if not isinstance(fields.get("algorithm"), str):
            raise LiecbenchError(f"baseline: {fields}: no algorithm", "write for example {algorithm: liec, workers: 2}")
        return cls(algorithm=fields.pop("algorithm"), fixed=fields)

    def without(self, names: Collection[str]) -> Self:
        """Return a copy of this choice without the fixed fields named in ``names``, such as ``workers``."""
        kept = {name: value for name, value in self.fixed.items() if name not in names}
        return replace(self, fixed=kept)

    def matches(self, spec: Mapping[str, Any]) -> bool:
        """Return True if the cell with the fields ``spec`` has the baseline's algorithm and all values of ``fixed``."""
        fields = flat_fields(spec)
        return fields["algorithm"] == self.algorithm and all(self.has(name, fields) for name in self.fixed)

    def has(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Return True if the cell's field ``name`` has the fixed value. ``fields`` is ``flat_fields`` of the cell."""
        return str(fields.get(name)) == field_text(name, self.fixed[name])

    @property
    def text(self) -> str:
        """The baseline in words: the algorithm's name and, if ``fixed`` is not empty, its fields and their values.

        Examples are ``ddp`` and ``liec with workers 2``. A field that is true is only named: ``psgd per_tensor``.
        """
        switched_on = [name for name, value in self.fixed.items() if value is True]
        others = [option_label(name, value) for name, value in self.fixed.items() if value is not True]
        name = " ".join([self.algorithm, *switched_on])
        return f"{name} with {', '.join(others)}" if others else name

    def as_json(self) -> str | dict[str, Any]:
        """Return the algorithm's name if ``fixed`` is empty, else a dict of ``algorithm`` and all of ``fixed``."""
        return {"algorithm": self.algorithm, **self.fixed} if self.fixed else self.algorithm
