"""The links of workers: describe a link, emulate it, and measure it."""
