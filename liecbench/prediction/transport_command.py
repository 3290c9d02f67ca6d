"""The command that measures what a prediction needs to know of the transport."""

from typing import Final

from liecbench.network.quantity import HIGHEST_RATE, LOWEST_RATE, format_rate
from liecbench.prediction.exchange_limits import DEFAULT_SIZE, MOST_DENSE_SECONDS
from liecbench.prediction.prediction_request import Request

# The ranks of a benchmark share the processors of one machine.
_MOST_WORKERS: Final = 8
# Bits per element that a step sends and receives uncompressed. The fit needs such steps, at one rate at least.
_DENSE_BITS: Final = 64
# The fit needs two rates. A single rate has a higher one beside it if it is at most this rate, else a lower one.
_HIGHEST_RAISED: Final = 10**8


def transport_command(request: Request) -> str:
    """Return the command that measures the transport for ``request`` and writes the file for ``--transport``."""
    low, high = measured_rates(request)
    # Models of more than the default size send more blocks, but not larger ones.
    largest = min(DEFAULT_SIZE, int(high * MOST_DENSE_SECONDS / _DENSE_BITS))
    size = max(1, min(request.profile.num_parameters, largest))
    links = " ".join(f"--link {format_rate(rate)}" for rate in (low, high))
    workers = f"--workers {measured_workers(request)}"
    return f"liecbench bench exchange --size {size} {workers} {links} --format json > exchange.json"


def measured_rates(request: Request) -> tuple[int, int]:
    """Return the lower and the higher rate of the links to measure, in bits per second.

    They are the lowest and the highest rate of the request's links, as far as such rates can be emulated. If there is
    only one rate, the other one is ten times as high or a tenth.
    """
    links = [link for links in request.links for link in links.links()]
    rates = [rate for link in links for rate in (link.up_bits_per_second, link.down_bits_per_second)]
    low, high = (min(max(rate, LOWEST_RATE), HIGHEST_RATE) for rate in (min(rates), max(rates)))
    if low < high:
        return low, high
    return (low, 10 * low) if low <= _HIGHEST_RAISED else (low // 10, low)


def measured_workers(request: Request) -> int:
    """Return the number of workers that the command measures: the request's smallest, but at least 2 and at most 8."""
    return min(max(min(request.workers), 2), _MOST_WORKERS)
