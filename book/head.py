"""What a page says of itself to search engines, links and tabs: description, title, language."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path

TAGS = re.compile(r"<[^>]+>")
PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.S)
TITLE = re.compile(r"<title>(.*?)</title>", re.S)
LENGTH = 200  # characters of a description that others show
OWN = "This page shows"  # the line on the run that build.py puts on top of a chapter
START = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
{head}
<meta http-equiv="refresh" content="0; url=book/intro.html">
</head>
<body><p><a href="book/intro.html">{title}</a></p></body>
</html>
"""


def _text(html: str) -> str:
    return " ".join(unescape(TAGS.sub("", html)).split())


def description(page: str) -> str:
    """Return the first paragraph of a page that says what it is about, shortened to a whole word.

    Formulas are left out with their paragraph: they are no words yet.
    """
    article = page.partition("<article")[2]
    texts = [_text(found) for found in PARAGRAPH.findall(article) if "math" not in found]
    text = next((t for t in texts if len(t) > 60 and not t.startswith(OWN)), "")
    return text if len(text) <= LENGTH else f"{text[:LENGTH].rpartition(' ')[0]} …"


def tags(title: str, said: str) -> str:
    """Return the lines of a head that hold description and Open Graph."""
    lines = [f'<meta property="og:title" content="{escape(title)}">']
    lines += ['<meta property="og:type" content="article">']
    for name in ('name="description"', 'property="og:description"') if said else ():
        lines.append(f'<meta {name} content="{escape(said)}">')
    return "\n".join(lines)


def complete(html: Path) -> None:
    """Add description and Open Graph to every page; write a first one with title and language."""
    for folder in ("book", "notebooks"):
        for path in sorted((html / folder).rglob("*.html")):
            page = path.read_text()
            title = _text(TITLE.search(page)[1])
            page = page.replace("</title>", f"</title>\n{tags(title, description(page))}", 1)
            path.write_text(page)
    first = (html / "book" / "intro.html").read_text()
    title, said = _text(TITLE.search(first)[1]), description(first)
    (html / "index.html").write_text(START.format(title=escape(title), head=tags(title, said)))
