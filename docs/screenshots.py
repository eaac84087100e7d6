"""Puts pictures of pages into the docs, where ``make browser`` has made them; else nothing.

A page has them by ``{raw} html`` with ``:file: ../_build/pictures/screenshot-<name>.html``. There
are two, ``<name>-light.png`` and ``<name>-dark.png``.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from sphinx.application import Sphinx

PICTURES = Path(__file__).parent.parent / "build" / "screenshots"
FOLDER = Path(__file__).parent / "_build" / "pictures"
THEMES = ("light", "dark")

#: name -> what somebody who cannot see it is told
SCREENSHOTS = {
    "tutorial-statistics": "The statistics of a page in the admin: a form, a chart and a table.",
}


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", place)


def place(app: Sphinx) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, told in SCREENSHOTS.items():
        files = [PICTURES / f"{name}-{theme}.png" for theme in THEMES]
        shown = all(file.exists() for file in files)
        if shown:
            app.config.html_static_path.extend(map(str, files))
        (FOLDER / f"screenshot-{name}.html").write_text(html_of(name, told) if shown else "\n")


def html_of(name: str, told: str) -> str:
    return "".join(
        f'<p class="only-{theme}"><img src="../_static/{name}-{theme}.png" alt="{escape(told)}"'
        ' loading="lazy"></p>\n'
        for theme in THEMES
    )
