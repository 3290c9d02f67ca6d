"""The output of liecbench as tables, JSON, CSV, HTML and figures, one module per format."""
