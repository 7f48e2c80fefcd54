"""Write the sample's held-out digits, and one seven drawn in many ways, as PNG files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

# The sample lies where the first argument says.
sys.path.insert(0, sys.argv[1])

from train import load_data

sample, folder = Path(sys.argv[1]), Path(sys.argv[2])


def held_out_pictures() -> None:
    (folder / "held-out").mkdir()
    _, pictures, _, digits = load_data()
    for number, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
        shades = np.rint(picture * 255).astype(np.uint8).reshape(8, 8)
        Image.fromarray(shades).save(folder / "held-out" / f"{number:03}-{digit}.png")


def drawings() -> None:
    (folder / "sevens").mkdir()
    seven = Image.open(sample / "digits" / "7.png").convert("L")
    inverted = Image.fromarray(255 - np.asarray(seven))
    margin = Image.new("L", (150, 110))
    margin.paste(seven, (70, 12))
    transparent = Image.new("RGBA", seven.size, "black")
    transparent.putalpha(seven)
    variants = {
        "small": seven.resize((8, 8), Image.Resampling.BOX),
        "inverted": inverted,
        "margin": margin,
        "large": inverted.resize((700, 700), Image.Resampling.BICUBIC),
        "colour": inverted.convert("RGB"),
        "palette": inverted.convert("P"),
        "transparent": transparent,
        "16 bits": Image.fromarray(np.asarray(seven).astype(np.uint16) * 257),
        "1 bit": inverted.convert("1", dither=Image.Dither.NONE),
    }
    for name, picture in variants.items():
        picture.save(folder / "sevens" / f"{name}.png")


held_out_pictures()
drawings()
