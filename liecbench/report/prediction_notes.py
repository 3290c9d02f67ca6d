"""The lines below the tables of ``liecbench predict``: break-evens, assumptions, and the meaning of flags."""

from collections.abc import Collection, Iterator
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.prediction.predictions import Predictions
from liecbench.prediction.transport_command import measured_rates, measured_workers, transport_advice
from liecbench.report.prediction_texts import baseline_name, common_flags, method_name, unit
from liecbench.results.whose_compute import compute_text

_METHOD: Final = (
    "method, as a bottleneck: the work of a method without compressor, such as copies of gradients, casts, or "
    "PowerSGD's products"
)
_FLAGS: Final = {
    "assumed_profile": "assumed_profile: the times to compute and compress are assumed, as the lines above say",
    "assumed_nodes": "assumed_nodes: messages inside nodes take 20 µs and their transfer",
    "without_jitter": "without_jitter: the link's jitter is left out",
    "without_method_times": "without_method_times: the profile lacks what the method itself takes, such as arithmetic "
    "with memories, and PowerSGD's products",
}


def lines_below(found: Predictions) -> Iterator[str]:
    """Yield the lines below the tables of ``liecbench predict``, such as break-evens and assumptions.

    The lines also explain the flags of the predicted rows, such as ``extrapolated_rate``.
    """
    profile, costs = found.request.profile, found.request.costs
    if found.break_evens:
        baseline = baseline_name(found)
        compute = compute_text({one.name: [one.compute] for one in found.bandwidths})
        yield f"link rates at which a method is faster than {baseline}, {compute}:"
    for one in found.break_evens:
        yield f"{method_name(found, one.method)}, {one.workers} workers{_shape(one.link)}: {one.text}"
    for link in dict.fromkeys(row.link for row in found.rows):
        if link.default is not None and link.default.delay_seconds:
            delay, round_trip = link.default.delay_texts()
            yield f"link {link}: {delay} one way of one link, so {round_trip} between two workers"
    yield from _compared_work(found)
    yield f"profile: {_origin(found)}"
    yield from (f"assumed: {text}" for text in profile.assumptions)
    yield f"transport: {costs.source}"
    if found.request.ranks_per_node > 1:
        yield (
            f"nodes: {found.request.ranks_per_node} workers each; gradients are reduced inside a node, exchanged by "
            "one worker of each node over the node's link, and sent to all inside"
        )
    yield f"all rows: {', '.join(common_flags(found))}"
    flags = {flag for row in found.rows for flag in row.flags}
    if "assumed_transport" in flags:
        yield _assumed_transport(found)
    yield from _extrapolated(found, flags)
    yield from (text for flag, text in _FLAGS.items() if flag in flags)
    limits = (row.bottleneck for row in found.rows), (one.limited_by for one in found.bandwidths)
    if any("method" in names for names in limits):
        yield _METHOD
    yield (
        "intervals come from the spread of the profile and of the transport's constants, "
        "not from errors of the model (docs/predict.md)"
    )


def _compared_work(found: Predictions) -> Iterator[str]:
    """Yield what speed-ups compare, unless they compare seconds per step in each setting."""
    if unit(found) == "sample":
        yield f"speed-ups and break-evens: over {baseline_name(found)}, as the scenario says, for equally many samples"
    batches = {row.method: row.batches_per_step for row in found.rows}
    if len(set(batches.values())) > 1:
        several = [f"{method_name(found, method)}: {number}" for method, number in batches.items() if number > 1]
        steps = ", ".join([*several, "others: 1"] if len(several) < len(batches) else several)
        compared = "; speed-ups and break-evens compare seconds per minibatch" if unit(found) == "minibatch" else ""
        yield f"minibatches per step: {steps}{compared}"


def _assumed_transport(found: Predictions) -> str:
    costs, of_profile = found.request.costs, found.request.profile.message_seconds
    is_known = of_profile is not None and of_profile == costs.message_seconds
    what = "the costs of the transport but that per message" if is_known else "the costs of the transport"
    over = {
        "gloo": f"measure them with {_measuring(found)}",
        "nccl": "liecbench measures them over Gloo only",
    }
    return f"assumed_transport: {what} are assumed; {over[costs.backend]}"


def _extrapolated(found: Predictions, flags: Collection[str]) -> Iterator[str]:
    """Yield what the flags of extrapolation mean, and a command to measure more rates or workers if that helps."""
    request, costs = found.request, found.request.costs
    lowest, highest = costs.rates or (0, 0)
    low, high = measured_rates(request)
    is_measurable = False
    if "extrapolated_rate" in flags:
        yield "extrapolated_rate: the link is slower or faster than those of the measurements"
        is_measurable = low < lowest or high > highest
    if "extrapolated_workers" in flags:
        yield "extrapolated_workers: there were fewer or more workers in the measurements"
        is_measurable |= not min(costs.workers) <= measured_workers(request) <= max(costs.workers)
    if is_measurable:
        yield f"to extrapolate less, measure with {_measuring(found)}"


def _measuring(found: Predictions) -> str:
    return transport_advice(found.request, found.largest_bytes)


def _origin(found: Predictions) -> str:
    profile = found.request.profile
    place = f" on {profile.device_name}" if profile.device_name else ""
    return (
        f"an {profile.origin} profile{place}" if profile.origin == "assumed" else f"a {profile.origin} profile{place}"
    )


def _shape(links: LinkMap) -> str:
    return f", {links.shape}" if links.shape else ""
