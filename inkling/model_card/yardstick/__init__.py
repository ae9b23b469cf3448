"""The yardstick of the model card: pages, MNIST-C, numbers and pictures without a digit, as people send them."""
