"""Print the book to one PDF through Chromium: what `make pdf` calls, after `make html`.

The pages that `book/build.py` assembled are put into one long page first, so that references lead
to pages of the same file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import browser
from build import add_mathjax

from tblib.chapters import ROOT
from tblib.errors import MissingStage, UserError

PAPER = """
nav, header, footer, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article,
.prev-next-area, .headerlink, .copybtn, .skip-link { display: none !important; }
article { font-size: 10pt; }
article h1 { break-before: page; }
article h1:first-of-type { break-before: auto; }
figure, table tr, div.math, .output img, .admonition-title { break-inside: avoid; }
h2, h3 { break-after: avoid; }
pre { white-space: pre-wrap !important; }
.sortable table, .wide table { font-size: 7pt; }
.wide td:last-child { min-width: 0; }
"""
FOOT = (
    '<div style="font-size:8px;width:100%;text-align:center;color:#555">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)
OPEN = """() => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  for (const node of document.querySelectorAll(".toggle-hidden"))
    node.classList.remove("toggle-hidden");
}"""


def single_page(out: Path) -> Path:
    """Render the assembled pages as one page, `out/_build/singlehtml/book/intro.html` or like.

    Raises:
        MissingStage: the book has not been assembled.
        UserError: Jupyter Book failed.
    """
    staging = out / "_build" / "book"
    if not staging.is_dir():
        raise MissingStage(f"{staging} does not exist; run `make html` first.")
    program = Path(sys.executable).with_name("jupyter-book")
    line = [str(program), "build", str(staging), "--path-output", str(out), "--quiet"]
    done = subprocess.run([*line, "--builder", "custom", "--custom-builder", "singlehtml"])
    if done.returncode:
        raise UserError("the book could not be put into one page; the reason is above.")
    folder = out / "_build" / "singlehtml"
    add_mathjax(folder)
    return max(folder.rglob("*.html"), key=lambda path: path.stat().st_size)


def printed(chromium, page: Path, target: Path) -> Path:
    """Print a page to A4 with page numbers; dropdowns are opened, mathematics is drawn first.

    Args:
        chromium: a browser from `browser.started`.
    """
    tab = chromium.new_page(color_scheme="light", reduced_motion="reduce")
    tab.set_default_timeout(600_000)
    tab.goto(page.as_uri())
    browser.settle(tab)
    tab.add_style_tag(content=PAPER)
    tab.evaluate(OPEN)
    tab.pdf(
        path=target,
        format="A4",
        margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"),
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
            target = printed(chromium, single_page(out), out / "_build" / "timebalance.pdf")
    except UserError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"The book is printed: {target}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
