"""The digit: its size, its classes, and the arrays that hold it.

An image is 28x28, as the network reads it; a picture has any size.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Width and height of an image, in pixels, as the network reads it."""
NUM_PIXELS = SIDE * SIDE
NUM_CLASSES = 10
DIGIT_NAMES = tuple(map(str, range(NUM_CLASSES)))
"""The names of the classes of digits; other datasets have other names."""
DIGIT_SIDE = 20
"""The longer side of a digit in MNIST, in pixels. 16 of its 70,000 digits have 19, all others 20."""

Gray = NDArray[np.uint8]
"""A gray picture of any size (h, w), 0 black to 255 white."""
Images = NDArray[np.uint8]
"""Images as the network reads them (n, 28, 28), 0 background to 255 foreground."""
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; the last two are the first pixels outside."""
