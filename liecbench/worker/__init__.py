"""The ranks that torchrun starts: they train cells, time steps, and measure links."""
