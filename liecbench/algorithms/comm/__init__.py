"""How gradients travel between ranks: exchange, transports, partition and timing."""
