"""The code of the ranks, the processes that torchrun starts: they train models, time steps, and measure links."""
