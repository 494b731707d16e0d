"""Print the book to one PDF through Chromium: what `make pdf` calls, after `make html`.

The pages that `book/build.py` rendered are put into one long page first, so that references lead
to pages of the same file.
"""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path
from urllib.parse import urlparse

import browser
import reference
from bs4 import BeautifulSoup

from tblib.errors import MissingStage, UserError
from tblib.lesson.chapters import ROOT

# What is true of a single page on paper, too, is in _static/book.css.
PAPER = """
nav, header, footer, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article,
.prev-next-area, .headerlink, .copybtn, .skip-link { display: none !important; }
#jb-print-docs-body { display: none !important; } /* the theme's own title and contents */
article h1 { display: block !important; }
article + article { break-before: page; }
"""
FOOT = (
    '<div style="font-size:8px;width:100%;text-align:center;color:#555">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)
OPEN = """() => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  for (const node of document.querySelectorAll(".toggle-hidden"))
    node.classList.remove("toggle-hidden");
  for (const node of document.querySelectorAll(".sort-button"))
    node.replaceWith(...node.childNodes);
}"""

# Paper does not scroll: a table that is too wide is made smaller as a whole.
FIT = """() => {
  for (const table of document.querySelectorAll("article table")) {
    let edge = Infinity;
    for (let box = table.parentElement; box.tagName != "MAIN"; box = box.parentElement)
      edge = Math.min(edge, box.getBoundingClientRect().right);
    const box = table.getBoundingClientRect();
    if (box.right > edge) table.style.zoom = 0.98 * (edge - box.left) / box.width;
  }
}"""
MARGIN = 18  # mm on each side of A4
ROOM = round((210 - 2 * MARGIN) * 96 / 25.4)  # CSS pixels between the margins


def names(staging: Path) -> list[str]:
    """Return the pages in reading order, without endings."""
    return reference.pages(staging / "_toc.yml")


def _anchor(name: str, fragment: str) -> str:
    return f"{name.replace('/', '-')}--{fragment}"


def _moved(article, name: str, known: list[str]) -> None:
    """Rewrite anchors and addresses of a page for its place in the one long page, in place."""
    for node in article.find_all(id=True):
        node["id"] = _anchor(name, node["id"])
    article["id"] = _anchor(name, "")
    for node in article.find_all(["a", "img"]):
        key = "href" if node.name == "a" else "src"
        address = urlparse(node.get(key, ""))
        if address.scheme or not (address.path or address.fragment):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), address.path))
        target = path.removesuffix(".html") if address.path else name
        if target in known:
            node[key] = f"#{_anchor(target, address.fragment)}"
        else:
            node[key] = path


def single_page(out: Path) -> Path:
    """Put the articles of all pages into one page, `out/_build/html/_print.html`.

    Raises:
        MissingStage: the book has not been rendered.
    """
    html = out / "_build" / "html"
    if not (html / "index.html").is_file():
        raise MissingStage(f"{html} has no rendered book; run `make html` first.")
    known, long = names(out / "_build" / "book"), None
    for name in known:
        soup = BeautifulSoup((html / f"{name}.html").read_text(), "html.parser")
        article = soup.find("article")
        _moved(article, name, known)
        if long is None:
            long, last = soup, article
            for node in soup.find_all(["script", "link"]):
                key = "src" if node.name == "script" else "href"
                if node.get(key, "").startswith("../"):
                    node[key] = node[key].removeprefix("../")
        else:
            last.insert_after(article)
            last = article
    page = html / "_print.html"
    page.write_text(str(long))
    return page


def laid_out(chromium, page: Path):
    """Open a page in a tab as it will be on paper.

    Dropdowns are opened, mathematics is drawn, and tables fit between the margins.

    Args:
        chromium: a browser from `browser.started`.
    """
    tab = chromium.new_page(
        color_scheme="light", reduced_motion="reduce", viewport={"width": ROOM, "height": 1000}
    )
    tab.set_default_timeout(600_000)
    tab.goto(page.as_uri())
    browser.settle(tab)
    tab.emulate_media(media="print")
    tab.add_style_tag(content=PAPER)
    tab.evaluate(OPEN)
    tab.evaluate(FIT)
    return tab


def printed(chromium, page: Path, target: Path) -> Path:
    """Print a page to A4 with page numbers, see `laid_out`."""
    tab = laid_out(chromium, page)
    tab.pdf(
        path=target,
        format="A4",
        margin=dict.fromkeys(("top", "bottom", "left", "right"), f"{MARGIN}mm"),
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOT,
        print_background=True,
        outline=True,
        tagged=True,
    )
    tab.close()
    return target


def main(out: Path = ROOT) -> None:
    """Print the book of `make html` to `_build/timebalance.pdf`."""
    try:
        with browser.started() as chromium:
            page = single_page(out)
            target = printed(chromium, page, out / "_build" / "timebalance.pdf")
            page.unlink()
    except UserError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"The book is printed: {target}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
