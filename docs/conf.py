"""How Sphinx builds these pages: ``make docs``."""

import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

_project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = "trackable"
author = "the trackable maintainers"
copyright = f"2026, {author}"  # noqa: A001
release = version = _project["version"]

extensions = ["myst_parser", "pictures", "screenshots"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"trackable {release}"
exclude_patterns = ["_build"]
nitpicky = True

# ``make linkcheck`` asks each external address once, and gives up soon
linkcheck_timeout = 10
linkcheck_retries = 2
linkcheck_workers = 4
linkcheck_rate_limit_timeout = 30
linkcheck_anchors = False
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|[\w.]*\bexample\.\w+)([:/]|$)"]
