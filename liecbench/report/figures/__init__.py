"""The figures of ``liecbench report``: their data, and how Plotly and Matplotlib draw them."""
