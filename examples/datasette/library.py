"""Datasette as an ASGI application: `library:app`."""

import os
from pathlib import Path

from datasette.app import Datasette

_DATABASE = os.environ.get("DATASETTE_DATABASE", str(Path(__file__).with_name("unicode.db")))

app = Datasette(
    immutables=[_DATABASE],
    metadata={
        "title": "The characters of Unicode",
        "databases": {"unicode": {"tables": {"characters": {"label_column": "name", "sortable_columns": ["name"]}}}},
    },
    settings={"default_page_size": 50, "num_sql_threads": 2},
).app()
