"""Makes unicode.db: every assigned character of Unicode's first planes, as Python knows them. Run at image build."""

import sqlite3
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

CATEGORIES = {
    "Lu": "uppercase letter",
    "Ll": "lowercase letter",
    "Lt": "titlecase letter",
    "Lm": "modifier letter",
    "Lo": "other letter",
    "Mn": "nonspacing mark",
    "Mc": "spacing mark",
    "Me": "enclosing mark",
    "Nd": "decimal number",
    "Nl": "letter number",
    "No": "other number",
    "Pc": "connector punctuation",
    "Pd": "dash punctuation",
    "Ps": "open punctuation",
    "Pe": "close punctuation",
    "Pi": "initial quote",
    "Pf": "final quote",
    "Po": "other punctuation",
    "Sm": "math symbol",
    "Sc": "currency symbol",
    "Sk": "modifier symbol",
    "So": "other symbol",
    "Zs": "space separator",
}
SCHEMA = """
create table categories (code text primary key, name text not null);
create table characters (
    codepoint text primary key,
    character text not null,
    name text not null,
    category text not null references categories (code),
    script text not null,
    numeric_value real,
    decomposition text
);
create index characters_by_category on characters (category);
create index characters_by_script on characters (script);
create virtual table characters_fts using fts5 (name, content="characters");
"""


def characters(*, end: int = 0x20000) -> Iterator[tuple[str, str, str, str, str, float | None, str | None]]:
    for number in range(0x20, end):
        character = chr(number)
        name, category = unicodedata.name(character, ""), unicodedata.category(character)
        if name and category in CATEGORIES and not name.startswith(("CJK UNIFIED", "HANGUL SYLLABLE", "TANGUT")):
            numeric = unicodedata.numeric(character, None)
            decomposition = unicodedata.decomposition(character) or None
            yield f"U+{number:04X}", character, name, category, name.split()[0].title(), numeric, decomposition


def make(path: Path) -> None:
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    with database:
        database.executescript(SCHEMA)
        database.executemany("insert into categories values (?, ?)", CATEGORIES.items())
        database.executemany("insert into characters values (?, ?, ?, ?, ?, ?, ?)", characters())
        database.execute("insert into characters_fts (characters_fts) values ('rebuild')")
    database.execute("vacuum")
    database.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
