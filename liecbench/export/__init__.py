"""Export of results to TensorBoard, Weights & Biases, MLflow, and CSV files for spreadsheets."""
