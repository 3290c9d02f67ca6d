"""The algorithms in the training loops of other packages: Hugging Face's Trainer, Accelerate and Lightning.

Each module needs the package that it is named after (``huggingface`` needs transformers and accelerate). The extra
``frameworks`` installs all of them: ``pip install '.[frameworks]'``.
"""
