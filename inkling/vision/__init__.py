"""Pictures to images: image files to gray levels, and the normalization to MNIST's size and placement."""
