"""Names of rows in figures and sentences: one name for the method, and one for the setting in which it is measured."""

import json
from collections.abc import Collection, Sequence
from typing import Final

from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.choice import naming_options
from liecbench.config.method_labels import option_label
from liecbench.results.fields import varying_fields
from liecbench.results.rows import Row

# These fields belong to the setting in which a method is measured; all other fields belong to the method.
_SETTING_FIELDS: Final = frozenset(
    {"workers", "link", "threads", "backend", "device", "enforcement", "emulator", "dataset", "model", "batch_size"}
    | {"partition", "precision", "results", "compute", "profile", "dilation"}
)
# Of the SHA-256 of a profile.
SHOWN_DIGITS: Final = 8


class Labels:
    """Short names of the methods and settings of ``rows``, such as ``psgd per_tensor`` and ``workers 4 · 20mbit``.

    A setting's name has the values of the setting's fields that differ between the rows. A method's name has the
    algorithm, the values of the method's fields that differ, and the options that ``naming_fields`` returns.

    Attributes:
        colour_keys: The texts to which figures assign colours, in this order: first the algorithm of each row, such as
            ``psgd``, then ``colour_key(row)`` of each row.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        varying = [name for name in varying_fields([row.fields for row in rows]) if name not in ("algorithm", "timing")]
        setting_fields = _SETTING_FIELDS | {option for row in rows for option in _workload_options(row)}
        of_task = {name for row in rows for name in _task_fields(row)} - setting_fields
        apart = [name for name in varying if name not in of_task]
        of_method = [
            name
            for name in varying
            if name not in setting_fields and (name not in of_task or _varies_within_method(rows, name, apart))
        ]
        self._method_fields = list(dict.fromkeys([*of_method, *naming_fields(rows)]))
        self._setting_fields = [name for name in varying if name in setting_fields]
        algorithms = dict.fromkeys(row.algorithm for row in rows)
        self._options = {algorithm: _differing_options(rows, algorithm) for algorithm in algorithms}
        compressed = {row.algorithm for row in rows if row.fields.get("compressor") not in (None, "identity")}
        self._uncompressed = algorithms.keys() - compressed
        self._timing_varies = len({_timing(row) for row in rows}) > 1
        self._variants: dict[str, dict[str, int]] = {}
        for row in rows:
            known = self._variants.setdefault(row.algorithm, {})
            known.setdefault(self.method(row), len(known))
        self._one_method = len({self.method(row) for row in rows}) == 1 and bool(self._setting_fields)
        self.colour_keys = [*(row.algorithm for row in rows), *map(self.colour_key, rows)]

    def curve(self, row: Row, without: Collection[str] = ()) -> tuple[str, str | None]:
        """Return (curve, figure): the name of the curve that shows a row, and the name of the figure with this curve.

        - If all rows have the same method but different settings, one figure without a name shows all settings. An
          example is ``("psgd · workers 4", None)``.
        - Otherwise, a figure shows one setting, with a curve per method. An example is ``("psgd", "workers 4")``.

        Args:
            row: The row.
            without: The setting's fields to leave out of the names, such as ``link`` if a curve shows several links.
        """
        return (self.whole(row, without), None) if self._one_method else (self.method(row), self.setting(row, without))

    def colour_key(self, row: Row) -> str:
        """Return the text from which figures choose a row's colour. Rows with equal texts have the same colour.

        The text is the row's algorithm, such as ``psgd``. If all rows have the same method, but differ in a field of
        the setting, such as ``workers``, the text is ``whole(row)``, such as ``psgd · workers 4``.
        """
        return self.whole(row) if self._one_method else row.algorithm

    def method(self, row: Row) -> str:
        """Return the name of the row's method, such as ``psgd per_tensor``: the algorithm, then values of fields.

        The name has the values of these fields, if the row has them:

        - Options that differ between rows of the algorithm.
        - Options that are always shown, which ``naming_fields([row])`` returns.
        - Fields of the task, such as ``learning_rate``, that differ between rows of one method in one setting.
        - The compressor, if it differs between any rows, and a row of the algorithm has one other than ``identity``.
        - Other fields of the method that differ between any rows.
        """
        alike = _algorithm_options(row) - self._options[row.algorithm] - _naming_options(row)
        alike |= {"compressor"} if row.algorithm in self._uncompressed else set()
        return " ".join([row.algorithm, *_field_labels(row, [n for n in self._method_fields if n not in alike])])

    def variant(self, row: Row) -> int:
        """Return the position, from 0, of the row's method among the methods with the same algorithm."""
        return self._variants[row.algorithm][self.method(row)]

    def setting(self, row: Row, without: Collection[str] = ()) -> str:
        """Return the name of the row's setting, such as ``workers 4 · 20mbit``.

        The name has the values of the setting's fields that differ between rows, except the fields in ``without``. If
        ``timing`` differs between rows, the name ends with the row's timing, such as ``timing interleaved``. The name
        is empty if it has no values.
        """
        parts = _field_labels(row, [name for name in self._setting_fields if name not in without])
        return " · ".join([*parts, f"timing {_timing(row)}"] if self._timing_varies else parts)

    def whole(self, row: Row, without: Collection[str] = ()) -> str:
        """Return the names of the row's method and setting as one text, such as ``psgd per_tensor · workers 4``.

        The setting's fields in ``without``, such as ``link``, are left out.
        """
        return " · ".join(part for part in (self.method(row), self.setting(row, without)) if part)


def naming_fields(rows: Sequence[Row]) -> list[str]:
    """Return the names of the options that a method's name shows even if all rows agree, such as ``per_tensor``.

    Options at their default are not among them, because rows do not contain those.
    """
    return list(dict.fromkeys(option for row in rows for option in row.fields if option in _naming_options(row)))


def _workload_options(row: Row) -> set[str]:
    """Return the names of the row's fields that are options of the dataset or the model."""
    task = row.cells[0].spec["task"]
    options = {(kind, option) for kind in ("dataset", "model") for option in task.get(kind, ()) if option != "name"}
    return {prefixed if (prefixed := f"{kind}_{option}") in row.fields else option for kind, option in options}


def _algorithm_options(row: Row) -> set[str]:
    """Return the names of the fields that are options of the row's algorithm, with ``block_order`` added."""
    return {*row.cells[0].spec["algorithm"], "block_order"} - {"name"}


def _naming_options(row: Row) -> set[str]:
    return naming_options(row.cells[0].spec["algorithm"])


def _differing_options(rows: Sequence[Row], algorithm: str) -> set[str]:
    """Return the options whose values differ between the algorithm's rows; a missing option counts as None."""
    found = [row for row in rows if row.algorithm == algorithm]
    options = {option for row in found for option in _algorithm_options(row)}
    return {option for option in options if len({repr(row.fields.get(option)) for row in found}) > 1}


def _task_fields(row: Row) -> set[str]:
    """Return the names of the fields of the row's task, such as ``learning_rate``, and of the optimizer's options.

    An option of the optimizer, such as ``eps``, is returned under both names that rows may use: ``eps`` and
    ``optimizer_eps``.
    """
    task = row.cells[0].spec["task"]
    options = task.get("optimizer", {})
    return {*task, *LATER_FIELDS, *options, *(f"optimizer_{option}" for option in options)} - {"name"}


def _varies_within_method(rows: Sequence[Row], name: str, apart: Sequence[str]) -> bool:
    """Return True if the field ``name`` differs between two rows of the same method.

    Two rows have the same method if neither their algorithms nor any of the fields ``apart`` differ.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        method = repr([row.algorithm, *(row.fields.get(field) for field in apart)])
        found.setdefault(method, set()).add(repr(row.fields.get(name)))
    return any(len(values) > 1 for values in found.values())


def _timing(row: Row) -> str:
    """Return the value of ``timing`` in the specs of the row's cells, such as ``interleaved``."""
    # In results of earlier versions, row.fields["timing"] may be "trained" although the cells' timing is "composed".
    return str(row.cells[0].spec["timing"])


def _field_labels(row: Row, names: Sequence[str]) -> list[str]:
    """Return the ``field_label`` of each field in ``names``, such as ``["sign", "average period 32"]``.

    Fields for which the row has no value are left out.
    """
    return [field_label(row.fields[name], name) for name in names if row.fields.get(name) is not None]


def field_label(value: object, name: str) -> str:
    """Return a field's value as text, such as ``sign`` or ``average period 32``.

    Text, lists and dicts are shown without the field's name. ``option_label`` adds the name to any other value. The
    fields ``block_order`` and ``profile`` are always shown as in ``blocks forward`` and ``profile 1a2b3c4d``.
    """
    if name == "block_order":
        return f"blocks {value}"
    if name == "profile":
        return f"profile {str(value)[:SHOWN_DIGITS]}"
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return value if isinstance(value, str) else option_label(name, value)
