"""The network that reads a digit, and the way from a PNG of any size to the 64 numbers that it takes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 8
MAX_PIXELS = 4_000_000
FAINT = 0.1
"""A picture whose darkest ink is fainter than this shows nothing."""


class PictureError(ValueError):
    """What was sent is not a picture of a digit; the message is for the sender."""


@dataclass
class DigitModel:
    """One hidden layer with ReLU, then softmax over the ten digits. `accuracy` is from 0 to 1, on held-out pictures."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray
    accuracy: float = 0.0

    @classmethod
    def load(cls, path: Path) -> DigitModel:
        """Read the weights; `allow_pickle` stays off, so a model file can never run code."""
        with np.load(path, allow_pickle=False) as stored:
            weights = [stored[name] for name in ("hidden", "hidden_bias", "output", "output_bias")]
            return cls(*weights, accuracy=float(stored["accuracy"]))

    def save(self, path: Path) -> None:
        """Write the weights; the same model gives the same bytes."""
        np.savez_compressed(path, **vars(self))

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """One row of ten probabilities for each row of 64 numbers between 0 (paper) and 1 (ink)."""
        hidden = np.maximum(pictures @ self.hidden + self.hidden_bias, 0)
        scores = hidden @ self.output + self.output_bias
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def read(self, picture: np.ndarray) -> tuple[int, float]:
        """The digit that a picture most probably shows, with its probability."""
        probabilities = self.probabilities(picture)
        digit = int(probabilities.argmax())
        return digit, float(probabilities[digit])


def read_picture(data: bytes) -> np.ndarray:
    """The 64 numbers of a PNG: dark on light or light on dark, any size, grey or coloured. Raises PictureError."""
    ink = _ink(_open(data))
    if ink.max() < FAINT:
        raise PictureError("the picture is blank")
    if not _fills_its_square(ink):
        ink = _squared(_cropped(ink))
    small = Image.fromarray(ink.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small).reshape(SIDE * SIDE).clip(0, 1)


def _open(data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=["PNG"])
        if picture.width * picture.height > MAX_PIXELS:
            raise PictureError(f"the picture has more than {MAX_PIXELS} pixels")
        picture.load()
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise PictureError("this is not a readable PNG") from error
    return picture


def _ink(picture: Image.Image) -> np.ndarray:
    """Ink from 0 to 1 for each pixel, whatever the colours: the border tells which of the two is paper."""
    light = _light(picture)
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    return 1 - light if np.median(border) > 0.5 else light


def _light(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 8
        return np.asarray(picture, dtype=np.float64) / 65535
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return np.asarray(picture.convert("L"), dtype=np.float64) / 255


def _fills_its_square(ink: np.ndarray) -> bool:
    """Whether the digit is as high as its square picture, as those that the model has learned from are."""
    return ink.shape[0] == ink.shape[1] and len(_cropped(ink)) >= ink.shape[0] * (SIDE - 1) / SIDE


def _cropped(ink: np.ndarray) -> np.ndarray:
    inked = ink > ink.max() / 4
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _squared(ink: np.ndarray) -> np.ndarray:
    """The same picture in the middle of a square of paper."""
    missing = max(ink.shape) - np.array(ink.shape)
    return np.pad(ink, [(part // 2, part - part // 2) for part in missing])
