"""Communication of gradients between ranks: exchange, transports, partition and timing."""
