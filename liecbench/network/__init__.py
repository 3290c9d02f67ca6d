"""The links of workers: describe a link, shape traffic to it with the kernel, and measure it."""
