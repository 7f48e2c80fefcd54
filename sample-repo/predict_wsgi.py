"""A WSGI application that says which handwritten digit a PNG shows.

    curl -F image=@digits/7.png <endpoint URL>      →  {"digit": 7, "probability": 0.9987, "model": "..."}

Valohai and Pointsman hand over the full path of a request. `X-VH-Prefix` says which part of it led here (a version's or
an alias's URL), `VH_DEFAULT_PREFIX` is the version's; what is left of the path is the application's own.
"""

from __future__ import annotations

import html
import io
import json
import os
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from multipart import MultipartError, parse_form_data

from digit_model import DigitModel, PictureError, read_picture

MAX_BODY = 1 << 20
MODEL = DigitModel.load(Path(__file__).with_name("model.npz"))
LABEL = os.environ.get("MODEL_LABEL", "unnamed")

PAGE = """<!doctype html>
<title>Which digit is it?</title>
<h1>Which digit is it?</h1>
<form method="post" enctype="multipart/form-data">
  <input type="file" name="image" accept="image/png" required> <button>Predict</button>
</form>
<p>Model: {label}; it reads {accuracy:.1%} of the digits that it has never seen.</p>
"""


class Refused(Exception):
    """A request that cannot be answered; the message is for the sender."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def predict_wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request; every refusal is JSON with an `error`."""
    try:
        status, content_type, body = respond(environ)
    except Refused as refusal:
        status, content_type, body = refusal.status, "application/json", as_json({"error": str(refusal)})
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD, POST"))
    start_response(f"{status.value} {status.phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def respond(environ: dict[str, Any]) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and body. Raises Refused."""
    method, path = environ["REQUEST_METHOD"], own_path(environ)
    if path not in ("", "/", "/healthz"):
        raise Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {path}; send a PNG to the endpoint's own URL")
    if method in ("GET", "HEAD"):
        if path == "/healthz":
            return HTTPStatus.OK, "application/json", as_json({"ready": True})
        page = PAGE.format(label=html.escape(LABEL), accuracy=MODEL.accuracy)
        return HTTPStatus.OK, "text/html; charset=utf-8", page.encode()
    if method != "POST" or path == "/healthz":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not for this path; POST a PNG to the endpoint's own URL")
    return HTTPStatus.OK, "application/json", as_json(predict(posted_picture(environ)))


def predict(data: bytes) -> dict[str, Any]:
    """The answer for one PNG. Raises Refused."""
    try:
        digit, probability = MODEL.read(read_picture(data))
    except PictureError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
    return {"digit": digit, "probability": round(probability, 4), "model": LABEL}


def own_path(environ: dict[str, Any]) -> str:
    """The path below the prefix that led here; the whole path where no prefix matches (a health probe)."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    for stated in (environ.get("HTTP_X_VH_PREFIX", ""), os.environ.get("VH_DEFAULT_PREFIX", "")):
        prefix = stated.rstrip("/")
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            return path[len(prefix) :]
    return path


def posted_picture(environ: dict[str, Any]) -> bytes:
    """The PNG of a request: its whole body, or the file field `image` of a form. Raises Refused."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    body = read_body(environ)
    if kind == "image/png":
        return body
    if kind == "multipart/form-data":
        return form_picture({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    raise Refused(HTTPStatus.BAD_REQUEST, "send a PNG: as the file field `image` of a form, or as an image/png body")


def read_body(environ: dict[str, Any]) -> bytes:
    """The body, with a limit. Raises Refused."""
    stated = environ.get("CONTENT_LENGTH") or ""
    if not stated and not environ.get("wsgi.input_terminated"):
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "the request does not say how long its body is")
    if stated and not (stated.isascii() and stated.isdigit()):
        raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
    too_much = MAX_BODY + 1
    body: bytes = environ["wsgi.input"].read(min(int(stated), too_much) if stated else too_much)
    if len(body) == too_much:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a picture has at most {MAX_BODY} bytes")
    return body


def form_picture(environ: dict[str, Any]) -> bytes:
    """The bytes of the form's file field `image`. Raises Refused."""
    try:
        _, files = parse_form_data(environ, strict=True)
    except MultipartError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {error}") from error
    try:
        if "image" not in files:
            raise Refused(HTTPStatus.BAD_REQUEST, "the form has no file field `image`")
        return bytes(files["image"].raw)
    finally:
        for _, part in files.iterallitems():
            part.close()


def as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
