"""How Sphinx builds these pages: ``make docs``."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = "trackable"
author = "the trackable maintainers"
copyright = f"2026, {author}"  # noqa: A001
release = version = _project["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"trackable {release}"
exclude_patterns = ["_build"]
nitpicky = True
