"""The part that takes most of a method's time: computing, transfer, compression, latency or waiting for a CPU."""

from typing import Final, Literal

from liecbench.results.row_flags import is_busy
from liecbench.results.rows import Row

Bottleneck = Literal["compute", "wire", "compress", "latency", "cpu"]
_PARTS: Final[dict[str, Bottleneck]] = {
    "compute_seconds_per_epoch": "compute",
    "wire_seconds_per_epoch": "wire",
    "exposed_compress_seconds_per_epoch": "compress",
    "other_seconds_per_epoch": "latency",
}
_WORDS: Final[dict[Bottleneck, str]] = {
    "compute": "computing",
    "wire": "transfer over the links",
    "compress": "compression",
    "latency": "latency and other ranks",
    "cpu": "a free processor",
}


def time_shares(row: Row) -> dict[Bottleneck, float]:
    """Return the share of a row's epoch time that each part takes, from 0 to 1; empty if the records lack a part.

    Time that is neither computing, transfer nor compression counts as ``cpu`` if the ranks need more processors than
    there are, and else as ``latency``.
    """
    values = {part: row.metrics[name] for name, part in _PARTS.items()}
    seconds = {part: value.mean for part, value in values.items() if value is not None}
    total = sum(seconds.values())
    if len(seconds) < len(_PARTS) or not total:
        return {}
    waits: Bottleneck = "cpu" if is_busy(row) else "latency"
    return {waits if part == "latency" else part: value / total for part, value in seconds.items()}


def bottleneck(row: Row) -> Bottleneck | None:
    """Return the part that takes most of a row's epoch time; None if the records do not divide the time into parts."""
    shares = time_shares(row)
    return max(shares.items(), key=lambda pair: pair[1])[0] if shares else None


def bottleneck_text(row: Row, name: str) -> str | None:
    """Return a sentence that names the two largest parts of a row's time; ``name`` is the row's name in the sentence.

    None if the row's records do not divide the time into parts.
    """
    shares = time_shares(row)
    if not shares:
        return None
    first, second = sorted(shares, key=shares.__getitem__, reverse=True)[:2]
    verb = "spends" if first in ("compute", "compress") else "waits"
    rest = f", {shares[second]:.0%} {'on' if second in ('compute', 'compress') else 'waiting for'} {_WORDS[second]}"
    preposition = "on" if verb == "spends" else "for"
    return f"{name} {verb} {shares[first]:.0%} of its time {preposition} {_WORDS[first]}{rest}"
