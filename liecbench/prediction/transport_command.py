"""The command that measures what a prediction needs to know of the transport."""

import math
from typing import Final

from liecbench.network.quantity import HIGHEST_RATE, LOWEST_RATE, format_rate
from liecbench.prediction.exchange_limits import DEFAULT_SIZE, LARGEST_BLOCK, MOST_DENSE_SECONDS
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.transport_costs import MOST_TIMES_LARGEST

# The ranks of a benchmark share the processors of one machine.
_MOST_WORKERS: Final = 8
# Bits per element that a step sends and receives uncompressed. The fit needs such steps, at one rate at least.
_DENSE_BITS: Final = 64
# The fit needs two rates. A single rate has a higher one beside it if it is at most this rate, else a lower one.
_HIGHEST_RAISED: Final = 10**8
# The largest message that is predicted from some measurement: ``bench link`` measures messages of up to 1 GiB.
MOST_PREDICTED: Final = MOST_TIMES_LARGEST * 2**30
# The share of a message's bytes that headers and acknowledgements add at most.
_HEADERS: Final = 0.07
_MEBIBYTE: Final = 2**20


def transport_advice(request: Request, largest_bytes: int) -> str:
    """Return the command that measures the transport, and what to do with its output, as the end of a sentence.

    The arguments are those of ``transport_command``.
    """
    gloo = ", which gives times over Gloo" if request.costs.backend == "nccl" else ""
    command = transport_command(request, largest_bytes)
    return f"`{command} > exchange.json`, and give --transport exchange.json{gloo}"


def transport_command(request: Request, largest_bytes: int) -> str:
    """Return the command whose output ``--transport`` takes for the predictions of ``request``.

    With this output, neither the size of messages nor, as far as links can be emulated, their rate is refused or
    extrapolated.

    Args:
        request: What is predicted.
        largest_bytes: The size of the largest message of the predicted steps, at most ``MOST_PREDICTED``.
    """
    needed = math.ceil(largest_bytes / MOST_TIMES_LARGEST)
    low, high = measured_rates(request)
    if needed <= LARGEST_BLOCK:
        size = _exchange_size(request, needed, high)
        least_rate = _DENSE_BITS * size / MOST_DENSE_SECONDS
        options = f"exchange --size {size}"
    else:
        size = _MEBIBYTE * math.ceil(needed / _MEBIBYTE)
        least_rate = 8 * (1 + _HEADERS) * size / MOST_DENSE_SECONDS
        options = f"link --size 64KiB --size {size // _MEBIBYTE}MiB"
    if least_rate > high:
        high = min(_rounded_up(least_rate), HIGHEST_RATE)
    links = " ".join(f"--link {format_rate(rate)}" for rate in (low, high))
    return f"liecbench bench {options} --workers {measured_workers(request)} {links} --format json"


def _exchange_size(request: Request, needed: int, rate: int) -> int:
    """Return the number of elements of the vector that ``bench exchange`` sends, for messages of ``needed`` bytes.

    The number is the smallest of three numbers:

    - the number of elements of the model
    - ``DEFAULT_SIZE``
    - the number of elements that an uncompressed step sends and receives in ``MOST_DENSE_SECONDS`` at ``rate``

    If the messages of such a vector have fewer than ``needed`` bytes, the number is ``needed`` / 4 instead, rounded up.
    """
    size = max(1, min(request.profile.num_parameters, DEFAULT_SIZE, int(rate * MOST_DENSE_SECONDS / _DENSE_BITS)))
    # Vectors of more than a block are sent in equal blocks, which are smaller.
    message = 4 * size / math.ceil(4 * size / LARGEST_BLOCK)
    return size if message >= needed else math.ceil(needed / 4)


def _rounded_up(rate: float) -> int:
    """Return the next higher rate whose first digit is 1, 2 or 5, followed by zeros."""
    power = int(10 ** math.floor(math.log10(rate)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rate)


def measured_rates(request: Request) -> tuple[int, int]:
    """Return two rates, in bits per second, that the command measures: the lower one first.

    They are the lowest and the highest rate of the request's links, as far as such rates can be emulated. If there is
    only one rate, the other one is ten times as high or a tenth. The command raises the higher one if large messages
    need it.
    """
    links = [link for links in request.links for link in links.links()]
    rates = [rate for link in links for rate in (link.up_bits_per_second, link.down_bits_per_second)]
    low, high = (min(max(rate, LOWEST_RATE), HIGHEST_RATE) for rate in (min(rates), max(rates)))
    if low < high:
        return low, high
    return (low, 10 * low) if low <= _HIGHEST_RAISED else (low // 10, low)


def measured_workers(request: Request) -> int:
    """Return the number of workers that the command measures: the smallest of the request, from 2 to 8."""
    return min(max(min(request.workers), 2), _MOST_WORKERS)
