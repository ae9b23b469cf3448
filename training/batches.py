"""Batches of training images as a network sees them: scaled, and changed at random."""

import tensorflow as tf

from training.augmentation import augment, draw
from training.recipe import Recipe


class Batches:
    """Batches for many steps at once, for networks that are not compiled together with the changes of their images."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @tf.function(jit_compile=True)
    def changed(
        self, indices: tf.Tensor, first_step: tf.Tensor, strength: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return changed images, float32 (steps, batch, 784), and their labels (steps, batch).

        Args:
            indices: of the images, integer (steps, batch).
            first_step: the number of the first step, from 0.
            strength: of the distortions, 0 to 1, ().
            images: uint8 (n, 784).
            labels: int32 (n,).
        """
        steps, batch_size = indices.shape
        numbers = draw(steps, batch_size, seed_of(self.recipe, first_step))
        x = tf.TensorArray(tf.float32, steps, element_shape=[batch_size, images.shape[1]])
        for i in tf.range(steps):
            batch_x = scale(tf.gather(images, indices[i]))
            seed = seed_of(self.recipe, first_step + i)
            x = x.write(i, augment(batch_x, numbers[i], seed, strength, self.recipe))
        return x.stack(), tf.gather(labels, indices)

    @tf.function
    def shuffled(
        self, x: tf.Tensor, y: tf.Tensor, teacher_logits: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the same images, labels and logits, all (steps, batch, ...), dealt to the batches anew."""
        count = y.shape[0] * y.shape[1]
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed_of(self.recipe, step))

        def dealt(values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(tf.gather(tf.reshape(values, [count, *values.shape[2:]]), order), values.shape)

        return dealt(x), dealt(y), dealt(teacher_logits)


def scale(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels 0 to 255 as float32, 0 ground to 1 ink."""
    return tf.cast(pixels, tf.float32) / 255.0


def seed_of(recipe: Recipe, step: tf.Tensor) -> tf.Tensor:
    """Return the seed (2,) of a step's random numbers; it is three seeds: `augmentation` counts on from it."""
    return tf.stack([recipe.seed, 3 * step])
