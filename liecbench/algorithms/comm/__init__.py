"""Communication of gradients between ranks, for the algorithms: exchange, transports, partition and timing."""
