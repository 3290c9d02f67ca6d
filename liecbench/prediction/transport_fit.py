"""Fit a transport's constants, such as its seconds per message, to measurements.

The measurements are the JSON output of ``liecbench bench exchange`` or ``liecbench bench link``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from liecbench.algorithms.comm.pacing import ACKNOWLEDGEMENT_BYTES, framed_bytes
from liecbench.errors import LiecbenchError
from liecbench.prediction.exchange_limits import LARGEST_BLOCK
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.untrusted import regular_files

_MOST_BYTES: Final = 2**26
_MEASURE: Final = "measure with liecbench bench exchange --link 20mbit --link 1gbit --format json, at one or more sizes"
_LEAST_SPREAD: Final = 0.01
_LINK_OPERATIONS: Final = ("send", "collective")
# Messages one after the other in rows of ``bench link``, by their names; ``payload_bytes`` of these rows is that of one
# message. Rows with other names are left out: those of ``after_idle``, whose seconds are without the time of a message
# over an unshaped link, and those of collectives, whose payload is that of an ideal algorithm. A broadcast of 1 MiB
# among 4 ranks takes 2.9 times its transfer at 20 Mbit/s.
_LINK_MESSAGES: Final = {"stream": 1, "round_trip": 2}
# A fit may find links a little faster than asked; more than this is an error of the fit.
_MOST_EFFICIENT: Final = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """The figures of a benchmark's row that the fit uses.

    Attributes:
        seconds: The measured seconds of the row's operation, such as ``averaging_step``, minus the compression seconds.
        wire_seconds: The seconds that the busiest rank's messages, with headers and acknowledgements, take at ``rate``.
        messages: The number of messages that are sent one after the other.
        num_bytes: The mean payload bytes of these messages.
        workers: The number of workers.
        rate: The requested rate of the links, in bits per second.
    """

    seconds: float
    wire_seconds: float
    messages: int
    num_bytes: int
    workers: int
    rate: int


def fit_transport(path: Path) -> TransportCosts:
    """Return a transport's constants, fitted to the measurements of a benchmark.

    Two constants are fitted: the efficiency and the seconds per message. In a row of the benchmark, let t be
    the seconds without compression. The model is t = wire seconds ÷ efficiency + messages × seconds per message. The
    wire seconds are the time that the payload, with headers and acknowledgements, takes at the requested rate.

    The fit minimises the sum of the squared relative errors. Rows of links with a delay are left out, and so are rows
    without the needed numbers. Of ``bench link``, only the rows ``stream`` and ``round_trip`` are used.

    Args:
        path: The JSON output of ``liecbench bench exchange`` or ``liecbench bench link``.

    Raises:
        LiecbenchError: If the file cannot be read, if it has no rows of a benchmark, or if the rows of the fit have
            fewer than two link rates or fewer than two sizes of messages.
    """
    rows = _read(path)
    measured = [one for row in rows if (one := _measured(row)) is not None]
    rates, sizes = {one.rate for one in measured}, {one.num_bytes for one in measured}
    if len(rates) < 2 or len(sizes) < 2:
        raise LiecbenchError(
            f"{path}: {len(rates)} link rates and {len(sizes)} sizes of messages without delay, and two of each are "
            "needed to fit a transport",
            _MEASURE,
        )
    message_seconds, inverse, error = _least_squares(measured)
    spread = max(_LEAST_SPREAD, error)
    return TransportCosts(
        message_seconds=message_seconds,
        segment_seconds=min(message_seconds, TransportCosts().segment_seconds),
        efficiency=min(_MOST_EFFICIENT, 1 / inverse) if inverse > 0 else 1.0,
        rate_spread=spread / math.sqrt(len(measured)),
        largest_bytes=max(sizes),
        workers=tuple(sorted({one.workers for one in measured})),
        rates=(min(rates), max(rates)),
        source=f"fitted to {len(measured)} rows of {path.name}, with errors of {spread:.0%} (standard deviation)",
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(regular_files.read_text(path, _MOST_BYTES))
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", _MEASURE) from None
    except ValueError:
        raise LiecbenchError(f"{path}: not JSON", _MEASURE) from None
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LiecbenchError(f"{path}: it has no rows of a benchmark", _MEASURE)
    return rows


def _measured(row: dict[str, Any]) -> _Measured | None:
    """Return the figures of a benchmark's row, or None if the fit cannot use the row.

    The fit cannot use a row if the link has a delay, if it is a row of ``bench link`` that ``_LINK_MESSAGES`` lacks, if
    a needed number is missing or not positive, or if the seconds of compression are not less than the row's seconds.
    """
    names = ("seconds", "size", "payload_bytes", "workers", "asked_bits_per_second")
    numbers = [row.get(name) for name in names]
    known = [value for value in numbers if isinstance(value, int | float) and value > 0]
    if len(known) < len(numbers) or "delay" in str(row.get("link")):
        return None
    seconds, size, payload, workers, rate = (float(value) for value in known)
    compress = row.get("compress_seconds")
    left = seconds - (float(compress) if isinstance(compress, int | float) else 0.0)
    of_link = row.get("operation") in _LINK_OPERATIONS
    messages = _LINK_MESSAGES.get(str(row.get("name"))) if of_link else _num_messages(row, size, round(workers))
    if messages is None or left <= 0:
        return None
    payloads = messages if of_link else 1
    return _Measured(
        seconds=left,
        wire_seconds=payloads * 8 * framed_bytes(round(payload), ACKNOWLEDGEMENT_BYTES) / rate,
        messages=messages,
        num_bytes=max(1, round(payloads * payload) // messages),
        workers=round(workers),
        rate=round(rate),
    )


def _num_messages(row: dict[str, Any], size: float, workers: int) -> int:
    """Return the number of messages that the operation of a row of ``bench exchange`` sends one after the other.

    Args:
        row: The row.
        size: The number of elements.
        workers: The number of workers.
    """
    blocks = max(1, math.ceil(4 * size / LARGEST_BLOCK))
    vectors = 4 if row.get("operation") == "averaging_step" else 2
    return blocks if row.get("server") is None else vectors * blocks * max(1, workers - 1)


def _least_squares(measured: Sequence[_Measured]) -> tuple[float, float, float]:
    """Fit a transport's constants to ``measured``. Return (seconds per message, 1 ÷ efficiency, error).

    The model is seconds = messages × seconds per message + wire seconds ÷ efficiency. The fit minimises the sum of the
    squared relative errors, with at least 0 seconds per message. The returned error is the standard deviation of the
    relative errors.
    """
    x = [(one.messages / one.seconds, one.wire_seconds / one.seconds) for one in measured]
    aa, ab, bb = (math.fsum(row[i] * row[j] for row in x) for i, j in ((0, 0), (0, 1), (1, 1)))
    ya, yb = (math.fsum(row[i] for row in x) for i in (0, 1))
    determinant = aa * bb - ab * ab
    a = (ya * bb - yb * ab) / determinant if determinant > 1e-12 * aa * bb else -1.0
    if a < 0:
        a, b = 0.0, yb / bb
    else:
        b = (yb * aa - ya * ab) / determinant
    error = math.sqrt(math.fsum((1 - a * row[0] - b * row[1]) ** 2 for row in x) / max(1, len(x) - 2))
    return a, b, error
