"""Which names two roots must not share."""

from pathlib import Path

import pytest

from webgarden_worker.roots import AmbiguousModules


@pytest.fixture
def finder(tmp_path: Path) -> AmbiguousModules:
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        for folder in ("package", "loose", "templates"):
            (root / folder).mkdir(parents=True)
        for file in ("module.py", "package/__init__.py", "loose/part.py", "templates/page.html"):
            (root / file).touch()
        (root / f"only_in_{root.name}.py").touch()
    return AmbiguousModules(roots)


@pytest.mark.parametrize("name", ["module", "package", "loose"])
def test_a_name_of_both_roots_cannot_be_imported(finder: AmbiguousModules, name: str) -> None:
    with pytest.raises(ImportError, match=f"module '{name}' is in .*/one and .*/two"):
        finder.find_spec(name, None)


@pytest.mark.parametrize("name", ["only_in_one", "only_in_two", "templates", "json", "package.module"])
def test_other_names_are_left_to_python(finder: AmbiguousModules, name: str) -> None:
    assert finder.find_spec(name, None) is None
