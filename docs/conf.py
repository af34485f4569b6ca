"""How the site is built: English sources in MyST, Korean from the catalogues in `locale`.

`make docs` builds both; `make docs-messages` brings the catalogues up to the sources.
"""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "imp_verify"
author = "imp_verify contributors"
release = version = version_of("imp-verify")
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "locale"]
templates_path = ["_templates"]
# What stands in backticks in a docstring is code.
default_role = "code"

# Addresses of headings as the forge makes them, so that a link works there and here.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False
gettext_uuid = False
# A Korean page shows the Korean pictures.
gettext_additional_targets = ["image"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "imp_verify"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
