"""The frame of every page: no script, no external asset, readable in light and dark. Everything that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
th { font-weight: 600; } nav, footer { opacity: .75; }
"""


def page(title: str, body: str) -> str:
    """A whole document; `title` is text, `body` is HTML."""
    heading = escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{heading}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{heading}</h1>\n{body}\n<footer><p>Pointsman</p></footer></body></html>\n"
    )


def paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def link(path: str, text: str) -> str:
    return f'<a href="{escape(path, quote=True)}">{escape(text)}</a>'


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of HTML cells below a head of plain titles."""
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    lines = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table>"
