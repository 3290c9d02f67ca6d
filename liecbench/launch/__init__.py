"""Start the ranks of training runs and benchmarks, receive their events, and end them when they fail or hang."""
