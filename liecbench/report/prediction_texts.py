"""Parts of the output of ``liecbench predict``: method names, ratios, and flags such as ``predicted``."""

from typing import Literal

from liecbench.prediction.method_choice import Method
from liecbench.prediction.predictions import Predictions
from liecbench.results.statistics import Estimate


def method_name(found: Predictions, method: Method) -> str:
    """Return a method's name, such as ``liec(sign) average period 32 sharded``.

    The name includes an option if predicted methods with equal algorithm and compressor differ in the option. It
    includes the server, ``root`` or ``sharded``, if the predicted methods use both.
    """
    servers = {one.server for one in found.request.methods if one.server is not None}
    name = method.label(found.request.methods)
    return f"{name} {method.server}" if method.server is not None and len(servers) > 1 else name


def baseline_name(found: Predictions) -> str:
    """Return the baseline's name and the setting that is fixed for it, such as ``ddp on 2 workers and link 10mbit``."""
    fixed = found.request.baseline_setting
    parts = [f"{fixed.workers} workers"] if fixed.workers is not None else []
    parts += [f"link {fixed.link}"] if fixed.link is not None else []
    place = f" on {' and '.join(parts)}" if parts else ""
    return f"{method_name(found, found.request.baseline)}{place}"


def unit(found: Predictions) -> Literal["step", "minibatch", "sample"]:
    """Return the unit of work whose time is compared between methods.

    The unit is a sample if the baseline has a number of workers of its own. Otherwise, it is a minibatch if steps of
    different methods have different numbers of minibatches, else a step.
    """
    if found.request.baseline_setting.workers is not None:
        return "sample"
    return "step" if len({row.batches_per_step for row in found.rows}) == 1 else "minibatch"


def ratio_text(value: Estimate | None) -> str:
    """Return a ratio with its interval, such as ``1.92× (1.9 to 1.94)``, or ``–`` if ``value`` is None."""
    return "–" if value is None else f"{value.mean:.3g}× ({value.low:.3g} to {value.high:.3g})"


def common_flags(found: Predictions) -> tuple[str, ...]:
    """Return the flags, such as ``predicted``, that all predicted rows have."""
    first, *others = found.rows
    return tuple(flag for flag in first.flags if all(flag in row.flags for row in others))
