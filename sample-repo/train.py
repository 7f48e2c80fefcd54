"""Train a small network on scikit-learn's handwritten digits (8x8 pixels) and keep it as plain numpy weights.

The same samples give the same model: shuffling and initial weights are seeded. `python train.py` makes `models/mnist.npz`,
`python train.py --samples 240 --output models/mnist-20181002.npz` the model of the older version.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from digit_model import DigitModel

SEED = 2018
HELD_OUT = 360
SHADES = 16
"""The digits' own number of steps from paper to ink."""


def load_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures to learn from and held-out ones, 64 numbers from 0 to 1 each, then the digits that both show."""
    pictures, digits = load_digits(return_X_y=True)
    return train_test_split(pictures / SHADES, digits, test_size=HELD_OUT, random_state=SEED, stratify=digits)


def train(pictures: np.ndarray, digits: np.ndarray) -> DigitModel:
    """A network with one hidden layer; `accuracy` is still unknown."""
    network = MLPClassifier(hidden_layer_sizes=(64,), alpha=0.01, max_iter=600, random_state=SEED)
    network.fit(pictures, digits)
    weights = [layer.astype(np.float32) for layer in (*network.coefs_, *network.intercepts_)]
    hidden, output, hidden_bias, output_bias = weights
    return DigitModel(hidden, hidden_bias, output, output_bias)


def accuracy(model: DigitModel, pictures: np.ndarray, digits: np.ndarray) -> float:
    """The part of the pictures that the model reads correctly, from 0 to 1."""
    return float(np.mean(model.probabilities(pictures).argmax(axis=1) == digits))


def save_digits(folder: Path, model: DigitModel, pictures: np.ndarray, digits: np.ndarray) -> None:
    """The first picture of each digit that the model reads correctly, enlarged eight times so that people can read it too."""
    folder.mkdir(parents=True, exist_ok=True)
    read = model.probabilities(pictures).argmax(axis=1)
    for digit in range(10):
        shades = np.rint(pictures[(digits == digit) & (read == digit)][0] * 255).astype(np.uint8).reshape(8, 8)
        Image.fromarray(shades).resize((64, 64), Image.Resampling.NEAREST).save(folder / f"{digit}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=1437, help="how many pictures to learn from (at most 1437)")
    parser.add_argument("--output", type=Path, default=Path("models/mnist.npz"), help="where the weights go")
    parser.add_argument("--digits", type=Path, help="also write a held-out picture of each digit to this folder")
    arguments = parser.parse_args()

    known, held_out, known_digits, held_out_digits = load_data()
    model = train(known[: arguments.samples], known_digits[: arguments.samples])
    model.accuracy = accuracy(model, held_out, held_out_digits)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    model.save(arguments.output)
    print(f"{arguments.output}: {model.accuracy:.1%} of {HELD_OUT} held-out digits")
    if arguments.digits:
        save_digits(arguments.digits, model, held_out, held_out_digits)


if __name__ == "__main__":
    main()
