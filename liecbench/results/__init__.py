"""Results: the records of training runs on disk, and the metrics, comparisons and verdicts computed from them."""
