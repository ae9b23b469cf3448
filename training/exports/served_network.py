"""A version's network as a TensorFlow module: from images to the probabilities that the server gives."""

import tensorflow as tf

from inkling.digit import NUM_CLASSES, NUM_PIXELS, SIDE
from inkling.exports.network import PortableNetwork
from inkling.network.views import SHIFTS
from training.model import N_HIDDEN_2


class ServedNetwork(tf.Module):
    """The parameters as variables, and the signatures of the exports."""

    def __init__(self, network: PortableNetwork) -> None:
        super().__init__(name="inkling")
        self._p = {
            name.replace("/", "_"): tf.Variable(array, trainable=False, name=name)
            for name, array in network.arrays.items()
        }
        self._temperature, self._views_temperature = network.temperatures
        self._views_below = network.views_below

    @tf.function(input_signature=[tf.TensorSpec([None, NUM_PIXELS], tf.uint8, name="images")])
    def serving_default(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return scores (n, 10) and digits (n,) of images (n, 784), 0 background to 255 foreground."""
        scores = self._scores(tf.cast(images, tf.float32) / 255.0)
        return {"scores": scores, "digits": tf.argmax(scores, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None, NUM_PIXELS], tf.float32, name="images")])
    def predict_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return scores (n, 10) of images (n, 784), 0 to 1: the signature of TensorFlow Serving's MNIST example."""
        return {"scores": self._scores(images)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
    def serving_files(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return scores (n, 10) and digits (n,) of PNG files (n,) of 28x28 pixels."""
        pixels = tf.map_fn(
            lambda file: tf.reshape(tf.io.decode_png(file, channels=1), [NUM_PIXELS]),
            images,
            fn_output_signature=tf.TensorSpec([NUM_PIXELS], tf.uint8),
        )
        answer: dict[str, tf.Tensor] = self.serving_default(pixels)
        return answer

    def _scores(self, x: tf.Tensor) -> tf.Tensor:
        """Return the probabilities (n, 10) of images (n, 784), 0 to 1.

        All images are read in all views, in one product, whose first one is the image itself.
        """
        if not self._views_below:
            return tf.nn.softmax(self._logits(self._hidden(x)) / self._temperature)
        padded = tf.pad(tf.reshape(x, [-1, SIDE, SIDE]), [[0, 0], [1, 1], [1, 1]])  # (n, 30, 30)
        views = tf.stack([padded[:, 1 - d : 1 - d + SIDE, 1 - r : 1 - r + SIDE] for d, r in SHIFTS], axis=1)
        hidden = tf.reshape(self._hidden(tf.reshape(views, [-1, NUM_PIXELS])), [-1, len(SHIFTS), N_HIDDEN_2])
        both = tf.stack([hidden[:, 0], tf.reduce_mean(hidden, axis=1)], axis=1)  # (n, 2, 256)
        logits = tf.reshape(self._logits(tf.reshape(both, [-1, N_HIDDEN_2])), [-1, 2, NUM_CLASSES])
        probabilities = tf.nn.softmax(logits / tf.constant([[self._temperature], [self._views_temperature]]))
        once, again = probabilities[:, 0], probabilities[:, 1]  # (n, 10)
        return tf.where(tf.reduce_max(once, axis=1, keepdims=True) < self._views_below, again, once)

    def _hidden(self, x: tf.Tensor) -> tf.Tensor:
        layer_1 = tf.nn.sigmoid(tf.matmul(x, self._float("weights_h1")) + self._float("biases_b1"))  # (n, 128)
        return tf.nn.sigmoid(tf.matmul(layer_1, self._float("weights_h2")) + self._float("biases_b2"))  # (n, 256)

    def _logits(self, hidden: tf.Tensor) -> tf.Tensor:
        return tf.matmul(hidden, self._float("weights_out")) + self._float("biases_out")  # (n, 10)

    def _float(self, name: str) -> tf.Tensor:
        return tf.cast(self._p[name], tf.float32)
