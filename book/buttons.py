"""A Sphinx extension that corrects where the theme's launch and edit buttons lead."""

from __future__ import annotations

from typing import Any

from launch import PAGES, WRITTEN


def flat(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all buttons, those of groups too."""
    return [one for b in buttons for one in (flat(b["buttons"]) if "buttons" in b else [b])]


def correct(url: str, branch: str) -> str:
    """Lead edits to the source of a page, and Colab to a notebook that installs what it needs."""
    base, edit, page = url.partition(f"/edit/{branch}/")
    if edit:
        source = WRITTEN.get(page, page)
        if source.startswith("notebooks/"):
            source = source.removesuffix(".ipynb") + ".py"
        return base + edit + source
    return url.replace(f"/blob/{branch}/", f"/blob/{PAGES}/_sources/") if "colab" in url else url


def _correct_page(app, pagename, templatename, context, doctree) -> None:
    branch = app.config.html_theme_options["repository_branch"]
    for button in flat(context.get("header_buttons", [])):
        if "url" in button:
            button["url"] = correct(button["url"], branch)


def setup(app) -> dict[str, Any]:
    """Come after the theme, which adds the buttons at the usual priority."""
    app.connect("html-page-context", _correct_page, priority=900)
    return {"parallel_read_safe": True}
