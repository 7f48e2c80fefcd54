from __future__ import annotations

import json
import random
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_endpoint import SAMPLE, Answer, Predictor

pytestmark = pytest.mark.contract

Start = Callable[..., Predictor]

PREFIX = "/ruksi/mnist/americas/20181003.0/predict-digit"
SEVEN = (SAMPLE / "digits" / "7.png").read_bytes()
OLD, NEW = "mnist-20181002.npz", "mnist.npz"


@pytest.fixture(scope="module")
def predictor(start: Start) -> Predictor:
    return start(NEW, VH_DEFAULT_PREFIX=PREFIX, MODEL_LABEL="<new>")


def form(picture: bytes, *, field: str = "image", filename: str | None = "a.png") -> bytes:
    name = f'; filename="{filename}"' if filename else ""
    head = f'--limit\r\nContent-Disposition: form-data; name="{field}"{name}\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + picture + b"\r\n--limit--\r\n"


FORM = "multipart/form-data; boundary=limit"


def blank_png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(side * (side + 1)), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def error_of(answer: Answer) -> str:
    assert answer.type == "application/json"
    message = json.loads(answer.body)["error"]
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize("model", [OLD, NEW])
def test_over_http_it_is_as_accurate_as_the_model_says(model: str, start: Start, pictures: Path) -> None:
    predictor = start(model)
    page = predictor.ask("GET", "/").body.decode()
    stated = re.search(r"reads ([\d.]+%) of", page)
    assert stated is not None

    held_out = sorted((pictures / "held-out").iterdir())
    answers = {picture: json.loads(predictor.predict(picture.read_bytes()).body) for picture in held_out}
    right = sum(picture.stem.endswith(f"-{answer['digit']}") for picture, answer in answers.items())
    assert len(held_out) == 360
    assert f"{right / len(held_out):.1%}" == stated[1]
    assert all(0 < answer["probability"] <= 1 for answer in answers.values())


def test_the_two_versions_disagree_about_the_picture_that_the_readme_names(start: Start, predictor: Predictor) -> None:
    nine = (SAMPLE / "digits" / "9.png").read_bytes()
    shown = [json.loads(line) for line in re.findall(r'^\{"digit".*$', (SAMPLE / "README.md").read_text(), re.MULTILINE)]
    answers = [json.loads(p.predict(nine).body) for p in (predictor, start(OLD))]
    assert [answer["digit"] for answer in answers] == [answer["digit"] for answer in shown] == [9, 2]
    assert [a["probability"] for a in answers] == pytest.approx([a["probability"] for a in shown], abs=0.001)


@pytest.mark.parametrize("digit", range(10))
def test_it_reads_the_pictures_that_come_with_the_sample(digit: int, predictor: Predictor) -> None:
    answer = predictor.predict((SAMPLE / "digits" / f"{digit}.png").read_bytes())
    assert (answer.status, json.loads(answer.body)["digit"]) == (200, digit)


@pytest.mark.parametrize("model", [OLD, NEW])
def test_both_models_pass_the_golden_request(model: str, start: Start) -> None:
    golden = (SAMPLE / "golden" / "predict-digit" / "seven.png").read_bytes()
    answer = start(model).ask("POST", "/", form(golden), Content_Type=FORM)
    assert (answer.status, json.loads(answer.body)["digit"]) == (200, 7)


def test_it_reads_a_seven_however_it_is_drawn(predictor: Predictor, pictures: Path) -> None:
    drawn = sorted((pictures / "sevens").iterdir())
    answers = {picture.stem: predictor.predict(picture.read_bytes()) for picture in drawn}
    digits = {name: json.loads(answer.body).get("digit") for name, answer in answers.items()}
    assert digits == dict.fromkeys(digits, 7)
    assert len(digits) == 9


@pytest.mark.parametrize("path", ["", "/", "/?from=browser"])
@pytest.mark.parametrize("prefix", [PREFIX, "/ruksi/mnist/americas/staging/predict-digit"])
def test_it_answers_below_the_prefix_that_led_here(prefix: str, path: str, predictor: Predictor) -> None:
    answer = predictor.ask("POST", prefix + path, SEVEN, Content_Type="image/png", X_VH_Prefix=prefix)
    assert (answer.status, json.loads(answer.body)["digit"]) == (200, 7)


def test_without_the_header_the_default_prefix_counts(predictor: Predictor) -> None:
    assert predictor.ask("GET", PREFIX).status == 200


def test_a_prefix_ends_at_a_path_element(predictor: Predictor) -> None:
    assert predictor.ask("GET", PREFIX + "-v2").status == 404


def test_a_browser_gets_a_form_with_the_label_escaped(predictor: Predictor) -> None:
    answer = predictor.ask("GET", PREFIX)
    assert answer.type == "text/html"
    assert b'name="image"' in answer.body
    assert b"&lt;new&gt;" in answer.body


def test_a_head_request_has_no_body_and_a_probe_gets_json(predictor: Predictor) -> None:
    assert predictor.ask("HEAD", "/").body == b""
    probe = predictor.ask("GET", "/healthz")
    assert (probe.status, json.loads(probe.body)) == (200, {"ready": True})


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "image/png", "not a readable PNG"),
        (b"GIF89a", "image/png", "not a readable PNG"),
        (SEVEN[:100], "image/png", "not a readable PNG"),
        (blank_png(20), "image/png", "blank"),
        (blank_png(2001), "image/png", "more than 4000000 pixels"),
        (SEVEN, "application/json", "send a PNG"),
        (form(SEVEN, field="picture"), FORM, "no file field `image`"),
        (form(SEVEN)[:-20], FORM, "the form cannot be read"),
        (form(SEVEN), "multipart/form-data", "the form cannot be read"),
        (form(b"text"), FORM, "not a readable PNG"),
    ],
)
def test_what_it_cannot_read_is_the_senders_mistake(body: bytes, kind: str, message: str, predictor: Predictor) -> None:
    answer = predictor.ask("POST", "/", body, Content_Type=kind)
    assert answer.status == 400
    assert message in error_of(answer)


def test_a_body_that_is_too_large_is_refused(predictor: Predictor) -> None:
    assert "at most" in error_of(answer := predictor.predict(bytes((1 << 20) + 1)))
    assert answer.status == 413


def test_a_length_that_is_no_number_is_refused(predictor: Predictor) -> None:
    answer = predictor.ask("POST", "/", None, Content_Type="image/png", Content_Length="-1")
    assert (answer.status, error_of(answer)) == (400, "Content-Length is not a number")


def test_an_unknown_path_and_method_are_refused_in_words(predictor: Predictor) -> None:
    assert "nothing at /predict" in error_of(predictor.ask("GET", "/predict"))
    answer = predictor.ask("DELETE", "/")
    assert (answer.status, answer.allow) == (405, "GET, HEAD, POST")


def test_a_damaged_picture_never_breaks_the_server(predictor: Predictor) -> None:
    chance = random.Random(7)
    for _ in range(300):
        damaged = bytearray(SEVEN)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert predictor.predict(bytes(damaged)).status in (200, 400)
