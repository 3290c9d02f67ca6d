"""Check that the baseline learned anything; otherwise a comparison of accuracies with the baseline means nothing."""

import math
import statistics
from collections.abc import Sequence

from liecbench.results.accuracy_verdict import num_test_labels
from liecbench.results.rows import Row


def learned_nothing(rows: Sequence[Row]) -> str | None:
    """Return why the baseline of ``rows`` learned nothing, or None if it learned something.

    The result is a text such as ``its accuracy is 10.1%, and always guessing the commonest class gives 10.0%``. The
    baseline learned if its accuracy is more than two standard errors above that of always guessing the commonest
    class. A language model learned if its test loss is lower than that of a model that knows only how often each token
    occurs. Also return None if no cell of the baseline completed, or if the records lack facts about the test set.
    """
    row = next((row for row in rows if row.baseline_per_seed), None)
    if row is None:
        return None
    test_set = next((found for cell in row.cells if (found := cell.environment.test_set)), None)
    if not test_set:
        return None
    final = list(row.baseline_per_seed.values())
    if row.is_language_model:
        loss, unigram = statistics.fmean(one["test_loss"] for one in final), test_set.unigram_loss
        if unigram is None or loss < unigram:
            return None
        return f"its test loss is {loss:.3g}, and knowing how often each token comes gives {unigram:.3g}"
    accuracy, share = statistics.fmean(one["test_accuracy"] for one in final), test_set.commonest_share
    error = math.sqrt(share * (1 - share) / (num_test_labels(row.cells) or 1))
    if accuracy > share + 2 * error:
        return None
    return f"its accuracy is {accuracy:.1%}, and always guessing the commonest class gives {share:.1%}"
