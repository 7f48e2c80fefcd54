"""Learns ten pictures of digits by heart: `train.py FOLDER MODEL`, with FOLDER/0.png to FOLDER/9.png."""

import sys

import numpy
import tensorflow

SIDE = 28


def picture(file):
    image = tensorflow.io.decode_png(tensorflow.io.read_file(file), channels=1)
    grey = tensorflow.image.resize(image, (SIDE, SIDE)).numpy().reshape((SIDE, SIDE)) / 255.0
    return 1.0 - grey if grey[0, 0] > 0.75 else grey


def main(folder, file):
    tensorflow.random.set_seed(1)
    pictures = numpy.array([picture("%s/%d.png" % (folder, digit)) for digit in range(10)])
    noise = numpy.random.RandomState(1).normal(0, 0.1, (50, 10, SIDE, SIDE))
    inputs = numpy.clip(pictures + noise, 0, 1).reshape((-1, SIDE, SIDE))
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential(
        [layers.Flatten(input_shape=(SIDE, SIDE)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(inputs, numpy.tile(numpy.arange(10), 50), epochs=20, verbose=0)
    model.save(file)


main(*sys.argv[1:])
