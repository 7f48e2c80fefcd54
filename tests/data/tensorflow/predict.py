"""Answers a posted picture with the digit that a Keras model sees on it: `wsgi: predict:predict`."""

import functools
import json

import numpy
import tensorflow
from PIL import Image, ImageOps
from werkzeug.wrappers import Request, Response

SIDE = 28
PAPER = 192


@functools.lru_cache(maxsize=None)
def model():
    return tensorflow.keras.models.load_model("model.h5")


def pixels(picture):
    grey = picture.resize((SIDE, SIDE)).convert("L")
    light_on_dark = ImageOps.invert(grey) if grey.getpixel((0, 0)) > PAPER else grey
    return numpy.array(light_on_dark).reshape((1, SIDE, SIDE)) / 255.0


@Request.application
def predict(request):
    if not request.files:
        return Response("no file uploaded\n", 400)
    scores = model().predict(pixels(Image.open(next(request.files.values()))))[0]
    best = int(numpy.argmax(scores))
    answer = {"best_guess": str(best), "probability": float(scores[best]), "tensorflow": tensorflow.__version__}
    return Response(json.dumps(answer), content_type="application/json")
