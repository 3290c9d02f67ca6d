"""Results for the tools that people look at already: TensorBoard, Weights & Biases, MLflow, and spreadsheets."""
