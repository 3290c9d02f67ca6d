#!/usr/bin/env python
"""Write a results directory with thousands of cells, to measure commands on it: multiply the cells of a finished run.

    .venv/bin/python scripts/make_large_results.py RESULTS LARGE --cells 20000 --epochs 3

Each cell of RESULTS is repeated with other learning rates and link rates; its numbers stay as they are. The cells must
be timed while they train (``timing: end_to_end``), have as many epochs as are asked for, or more, and differ in more
than learning rate and link. ``--first-schema`` writes lines without number and checksum, as the first version did.
"""

import argparse
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liecbench.config.cell_keys import digest
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import seal

_NUM_RATES = 10


def records(cells: list[list[dict[str, Any]]], num_cells: int, num_epochs: int) -> Iterator[dict[str, Any]]:
    """Yield the records of ``num_cells`` cells, each with its first ``num_epochs`` epochs."""
    variants = ((number, cell) for number in itertools.count() for cell in cells)
    for number, (start, *rest) in itertools.islice(variants, num_cells):
        rate = f"{10 + number % _NUM_RATES}mbit"
        spec = json.loads(json.dumps(start["spec"])) | {"link": rate}
        spec["task"] |= {"epochs": num_epochs, "learning_rate": round(0.4 * 0.99 ** (number // _NUM_RATES), 10)}
        environment = {**start["environment"], "link": {**start["environment"]["link"], "asked": rate}}
        yield {**start, "cell": digest(spec), "spec": spec, "environment": environment}
        for record in (*rest[:num_epochs], rest[-1]):
            yield {**record, "cell": digest(spec)}


def main() -> None:
    """Write the results directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("large", type=Path)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--first-schema", action="store_true")
    asked = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (asked.results / LEDGER_NAME).read_text().splitlines():
        record = {name: value for name, value in json.loads(line).items() if name not in ("number", "checksum")}
        found.setdefault(record["cell"], []).append(record)
    asked.large.mkdir(parents=True)
    shutil.copyfile(asked.results / "scenario.yaml", asked.large / "scenario.yaml")
    with (asked.large / LEDGER_NAME).open("w") as file:
        for number, record in enumerate(records(list(found.values()), asked.cells, asked.epochs), start=1):
            if asked.first_schema and "environment" in record:
                record["environment"].setdefault("cpu_quota", None)  # which that schema wrote even if there was none
            text = json.dumps({**record, "schema": 1 if asked.first_schema else 2})
            file.write((text if asked.first_schema else seal(text, number)) + "\n")


if __name__ == "__main__":
    main()
