"""The network: two hidden layers of sigmoids on raw `tf.Variable`s, as the "neural network, raw" tutorial has it.

Source: Aymeric Damien, TensorFlow-Examples, tensorflow_v2/notebooks/3_NeuralNetworks/neural_network_raw.ipynb. The
names, the arithmetic and the initial values are the tutorial's. `tutorial.py` trains it as published, `trainer.py` with
compiled steps.
"""

import tensorflow as tf

from inkling.digit import NUM_CLASSES, NUM_PIXELS

N_HIDDEN_1 = 128
N_HIDDEN_2 = 256

KERAS_SEEDS = 2**31 - 2
"""Keras takes seeds modulo this number."""

Variables = dict[str, tf.Variable]


def initial_weights(seed: int) -> Variables:
    """Return the weights of a new network: normal, mean 0, standard deviation 0.05.

    Bit for bit those of the tutorial's `tf.initializers.RandomNormal(seed=seed)`, which is Keras and needs its backend.
    """
    shapes = {
        "h1": (NUM_PIXELS, N_HIDDEN_1),
        "h2": (N_HIDDEN_1, N_HIDDEN_2),
        "out": (N_HIDDEN_2, NUM_CLASSES),
    }
    return {
        name: tf.Variable(tf.random.stateless_normal(shape, seed=[(seed + layer) % KERAS_SEEDS, 0], stddev=0.05))
        for layer, (name, shape) in enumerate(shapes.items())
    }


def initial_biases() -> Variables:
    """Return the biases of a new network: zeros."""
    return {
        "b1": tf.Variable(tf.zeros([N_HIDDEN_1])),
        "b2": tf.Variable(tf.zeros([N_HIDDEN_2])),
        "out": tf.Variable(tf.zeros([NUM_CLASSES])),
    }


def named(weights: Variables, biases: Variables) -> Variables:
    """Return all variables by their names in the checkpoint file."""
    return {
        f"{kind}/{name}": variable
        for kind, variables in (("weights", weights), ("biases", biases))
        for name, variable in variables.items()
    }


def neural_net(x: tf.Tensor, weights: Variables, biases: Variables) -> tf.Tensor:
    """Return class probabilities, float32 (batch, 10), each row summing to 1.

    Args:
        x: flattened images, float32 (batch, 784), 0 background to 1 foreground.
        weights: h1 (784, 128), h2 (128, 256), out (256, 10).
        biases: b1 (128,), b2 (256,), out (10,).
    """
    return tf.nn.softmax(logits(x, weights, biases))


def logits(x: tf.Tensor, weights: Variables, biases: Variables) -> tf.Tensor:
    """Return the logits, float32 (batch, 10): the input of the softmax in `neural_net`, with the same arguments."""
    layer_1 = tf.add(tf.matmul(x, weights["h1"]), biases["b1"])  # (batch, 128)
    layer_1 = tf.nn.sigmoid(layer_1)
    layer_2 = tf.add(tf.matmul(layer_1, weights["h2"]), biases["b2"])  # (batch, 256)
    layer_2 = tf.nn.sigmoid(layer_2)
    return tf.matmul(layer_2, weights["out"]) + biases["out"]  # (batch, 10)


def cross_entropy(y_pred: tf.Tensor, y_true: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy summed over the batch, in nats.

    The sum, not the mean: the tutorial's learning rate of 0.001 relies on it.

    Args:
        y_pred: class probabilities, float32 (batch, 10), each row summing to 1.
        y_true: digit labels, integer (batch,), 0 to 9.
    """
    y_true = tf.one_hot(y_true, depth=NUM_CLASSES)  # (batch, 10)
    y_pred = tf.clip_by_value(y_pred, 1e-9, 1.0)  # log(0) is -inf
    return -tf.reduce_sum(y_true * tf.math.log(y_pred))  # ()


def accuracy(y_pred: tf.Tensor, y_true: tf.Tensor) -> tf.Tensor:
    """Return the share of rows of `y_pred` (batch, 10) whose largest entry is at `y_true` (batch,), 0 to 1."""
    correct_prediction = tf.equal(tf.argmax(y_pred, 1), tf.cast(y_true, tf.int64))  # (batch,)
    return tf.reduce_mean(tf.cast(correct_prediction, tf.float32))  # ()


def run_optimization(
    x: tf.Tensor, y: tf.Tensor, weights: Variables, biases: Variables, optimizer: "tf.optimizers.Optimizer"
) -> None:
    """Take one optimization step, in place.

    Args:
        x: flattened images, float32 (batch, 784), 0 background to 1 foreground.
        y: digit labels, integer (batch,), 0 to 9.
        weights: the weights to update.
        biases: the biases to update.
        optimizer: the tutorial's is `tf.optimizers.SGD(learning_rate)`: variable -= learning_rate * gradient.
    """
    with tf.GradientTape() as g:
        pred = neural_net(x, weights, biases)
        loss = cross_entropy(pred, y)
    trainable_variables = list(weights.values()) + list(biases.values())
    gradients = g.gradient(loss, trainable_variables)
    optimizer.apply_gradients(zip(gradients, trainable_variables, strict=True))
