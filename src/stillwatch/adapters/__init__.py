"""A foreign log → event batches; one dialect a file."""
