"""Theory, tested: studies in which one process simulates all workers on functions whose gradient is known."""
