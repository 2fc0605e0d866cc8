"""Every layer of Keras that makes sense for images, in small models of one kind of layer each.

A recipe names one of the functions below (`model: {file: keras_layers.py, function: …}`); they take 16x16 pixels, or
8x8x8 voxels where the name begins with `volume`, and return two logits.
"""

import tensorflow as tf

L = tf.keras.layers
SHAPE, VOLUME = (16, 16, 1), (8, 8, 8, 1)


def _model(inputs: tf.Tensor, outputs: tf.Tensor) -> tf.keras.Model:
    return tf.keras.Model(inputs, L.Dense(2)(L.Flatten()(outputs)))


def _chain(shape: tuple[int, ...], *layers: tf.keras.layers.Layer) -> tf.keras.Model:
    inputs = outputs = tf.keras.Input(shape)
    for layer in layers:
        outputs = layer(outputs)
    return _model(inputs, outputs)


def convolutions() -> tf.keras.Model:
    return _chain(
        SHAPE,
        L.ZeroPadding2D(1),
        L.Conv2D(2, 3),
        L.SeparableConv2D(2, 3),
        L.DepthwiseConv2D(3),
        L.Cropping2D(1),
        L.Conv2DTranspose(2, 3, strides=2),
        L.LocallyConnected2D(2, 3, strides=3),
        L.UpSampling2D(2, interpolation="bilinear"),
    )


def pooling() -> tf.keras.Model:
    inputs = tf.keras.Input(SHAPE)
    features = L.Conv2D(3, 3)(inputs)
    pooled = [pool(2)(features) for pool in (L.MaxPooling2D, L.AveragePooling2D)]
    everywhere = [pool()(features) for pool in (L.GlobalMaxPooling2D, L.GlobalAveragePooling2D)]
    return _model(inputs, L.Concatenate()([*map(L.Flatten(), pooled), *everywhere]))


def volume_layers() -> tf.keras.Model:
    inputs = tf.keras.Input(VOLUME)
    features = L.Conv3D(2, 3)(L.ZeroPadding3D(1)(inputs))
    features = L.Conv3DTranspose(2, 2, strides=2)(L.Cropping3D(1)(features))
    pooled = [pool(2)(features) for pool in (L.MaxPooling3D, L.AveragePooling3D)]
    everywhere = [pool()(features) for pool in (L.GlobalMaxPooling3D, L.GlobalAveragePooling3D)]
    larger = L.UpSampling3D(2)(L.SpatialDropout3D(0.2)(pooled[0]))
    read = [L.ConvLSTM2D(2, 3)(inputs), L.ConvLSTM3D(1, 3)(L.Reshape((2, 4, 8, 8, 1))(inputs))]
    return _model(inputs, L.Concatenate()([*map(L.Flatten(), (*pooled, larger, *read)), *everywhere]))


def rows() -> tf.keras.Model:
    """An image as a sequence of its rows."""
    inputs = tf.keras.Input(SHAPE)
    features = L.ZeroPadding1D(1)(L.Reshape((16, 16))(inputs))
    for layer in (
        L.Conv1D(4, 3),
        L.SeparableConv1D(4, 3),
        L.DepthwiseConv1D(3),
        L.Cropping1D(1),
        L.Conv1DTranspose(4, 3),
        L.LocallyConnected1D(4, 3),
        L.UpSampling1D(2),
        L.SpatialDropout1D(0.2),
    ):
        features = layer(features)
    pooled = [pool(2)(features) for pool in (L.MaxPooling1D, L.AveragePooling1D)]
    everywhere = [pool()(features) for pool in (L.GlobalMaxPooling1D, L.GlobalAveragePooling1D)]
    return _model(inputs, L.Concatenate()([*map(L.Flatten(), pooled), *everywhere]))


def recurrent() -> tf.keras.Model:
    inputs = tf.keras.Input(SHAPE)
    lines = L.Reshape((16, 16))(inputs)
    read = [
        L.LSTM(3)(lines),
        L.GRU(3)(lines),
        L.SimpleRNN(3)(lines),
        L.Bidirectional(L.LSTM(3))(lines),
        L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(3), L.SimpleRNNCell(3)]))(lines),
        L.Flatten()(L.TimeDistributed(L.Dense(2))(lines)),
        L.Flatten()(L.ConvLSTM1D(2, 3)(inputs)),
    ]
    return _model(inputs, L.Concatenate()(read))


def activations() -> tf.keras.Model:
    inputs = tf.keras.Input(SHAPE)
    features = L.Conv2D(3, 3)(inputs)
    names = ["elu", "exponential", "gelu", "hard_sigmoid", "linear", "mish", "relu"]
    names += ["selu", "sigmoid", "softmax", "softplus", "softsign", "swish", "tanh"]
    layers = (L.Identity(), L.ReLU(6.0), L.LeakyReLU(), L.PReLU(), L.ELU(), L.ThresholdedReLU(), L.Softmax())
    found = [L.Activation(name)(features) for name in names] + [layer(features) for layer in layers]
    return _model(inputs, L.Average()(found))


def normalization() -> tf.keras.Model:
    return _chain(
        SHAPE,
        L.Conv2D(4, 3),
        L.LayerNormalization(),
        L.GroupNormalization(2),
        L.UnitNormalization(),
    )


def stored_statistics() -> tf.keras.Model:
    return _chain(SHAPE, L.Normalization(mean=0.4, variance=0.1), L.Conv2D(4, 3), L.BatchNormalization())


def noise() -> tf.keras.Model:
    return _chain(
        SHAPE,
        L.GaussianNoise(0.1),
        L.Conv2D(4, 3),
        L.SpatialDropout2D(0.2),
        L.GaussianDropout(0.2),
        L.AlphaDropout(0.2),
        L.Lambda(lambda values: tf.nn.dropout(values, 0.1)),
        L.Flatten(),
        L.Dropout(0.5),
    )


def augmentation() -> tf.keras.Model:
    return _chain(
        SHAPE,
        L.RandomFlip(),
        L.RandomRotation(0.1),
        L.RandomZoom(0.1),
        L.RandomTranslation(0.1, 0.1),
        L.RandomContrast(0.2),
        L.RandomBrightness(0.2, value_range=(0, 1)),
        L.RandomCrop(14, 14),
        L.Rescaling(2.0, -1.0),
        L.Resizing(12, 12),
        L.CenterCrop(8, 8),
    )


def augmented_size() -> tf.keras.Model:
    return _chain(SHAPE, L.RandomHeight(0.2), L.RandomWidth(0.2), L.Resizing(8, 8))


def attention() -> tf.keras.Model:
    inputs = tf.keras.Input(SHAPE)
    patches = L.Reshape((16, 4))(L.Conv2D(4, 4, strides=4)(inputs))
    attended = L.MultiHeadAttention(2, 4, dropout=0.1)(patches, patches)
    attended = L.Attention(dropout=0.1)([attended, patches])
    attended = L.AdditiveAttention()([attended, patches])
    return _model(inputs, L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")(attended))


def embedding() -> tf.keras.Model:
    """Pixels as words: each of eight grey levels has a vector."""
    inputs = tf.keras.Input(SHAPE)
    levels = L.Lambda(lambda images: tf.cast(images[..., 0] * 7.0, tf.int32))(inputs)
    return _model(inputs, L.Embedding(8, 2)(levels))


def merging() -> tf.keras.Model:
    inputs = tf.keras.Input(SHAPE)
    first, second = L.Conv2D(3, 3)(inputs), L.Conv2D(3, 3)(inputs)
    merges = (L.Add(), L.Average(), L.Maximum(), L.Minimum(), L.Multiply(), L.Subtract())
    merged = L.Concatenate()([merge([first, second]) for merge in merges])
    lines = L.RepeatVector(2)(L.Flatten()(L.Permute((2, 1, 3))(merged)))
    dotted = L.Dot(axes=-1, normalize=True)([lines, lines])
    penalized = L.ActivityRegularization(l2=1e-4)(L.Masking()(lines))
    return _model(inputs, L.Concatenate()([L.Flatten()(dotted), L.Flatten()(penalized)]))


def functions() -> tf.keras.Model:
    """TensorFlow's own functions between Keras's layers."""
    inputs = tf.keras.Input(SHAPE)
    features = tf.nn.relu(L.Conv2D(4, 3)(inputs * 2.0 - 1.0))
    features = tf.nn.dropout(features, 0.2) + tf.random.normal(tf.shape(features), stddev=0.01)
    return _model(inputs, tf.image.resize(features, (7, 7)))


def counting() -> tf.keras.Model:
    """Refused: it keeps a vector that each step of training moves, beside its weights."""
    return _chain(SHAPE, L.SpectralNormalization(L.Conv2D(2, 3)))


class Subclassed(tf.keras.Model):
    """No Input: its weights are made when it is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [L.Conv2D(3, 3, activation="relu"), L.Dropout(0.3), L.Flatten(), L.Dense(2)]

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        features = images
        for block in self.blocks:
            features = block(features, training=training) if isinstance(block, L.Dropout) else block(features)
        return features


def subclassed() -> tf.keras.Model:
    return Subclassed()


def without_input() -> tf.keras.Model:
    return tf.keras.Sequential([L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(2)])


def float16() -> tf.keras.Model:
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        inputs = tf.keras.Input(SHAPE)
        features = L.Flatten()(L.Dropout(0.2)(L.Conv2D(3, 3, activation="relu")(inputs)))
        return tf.keras.Model(inputs, L.Dense(2, dtype="float32")(features))
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
