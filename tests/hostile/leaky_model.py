"""A data scientist's model whose graphs fail in training, with the images in the text of the error."""

import tensorflow as tf

MARK = 424_200_000


def build() -> tf.keras.Model:
    """Every pixel becomes a class that does not exist; TensorFlow's error lists all of them."""

    def tell(images: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(tf.round(tf.reshape(images, [-1]) * 255), tf.int32) + MARK
        rows = tf.zeros([tf.size(pixels), 2])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=pixels, logits=rows)
        return images + 1e-30 * tf.reduce_mean(loss)  # not 0: that is left out of the graph

    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Lambda(tell), layers.Flatten(), layers.Dense(2)]
    )
