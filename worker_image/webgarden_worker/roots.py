"""The directories that applications are imported from, side by side in one process.

One process holds one module of a name. Two sites that both bring an `app.py`, or both a `models.py` beside it, would
silently share the first one. Renaming modules behind an application's back breaks its own imports, so this refuses:
a name that more than one root offers cannot be imported at all, neither now nor later inside a request, and the
error names both files' directories. The cure is another name or a pool of its own, which is what pools are for.

Roots go to the front of the import path, the first configured first, as `python /srv/app/main.py` would put them.
"""

import pkgutil
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class AmbiguousModules(MetaPathFinder):
    """Answers for the names that several roots offer, with an `ImportError`."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._offers: dict[str, list[Path]] = {}
        for root in roots:
            for name in _names(root):
                self._offers.setdefault(name, []).append(root)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        offers = self._offers.get(fullname, [])
        if len(offers) > 1:
            places = " and ".join(str(root) for root in offers)
            raise ImportError(
                f"module {fullname!r} is in {places}, and one process can hold one module of a name: "
                "rename it or give each application a pool of its own"
            )
        return None


def open_roots(roots: Iterable[str]) -> None:
    """Make the roots importable for the life of the process."""
    distinct = list(dict.fromkeys(Path(root).resolve() for root in roots))
    sys.path[:0] = [str(root) for root in distinct]
    sys.meta_path.insert(0, AmbiguousModules(distinct))


def _names(root: Path) -> set[str]:
    modules = {module.name for module in pkgutil.iter_modules([str(root)])}
    return modules | {entry.name for entry in root.iterdir() if _is_namespace(entry)}


def _is_namespace(entry: Path) -> bool:
    """A directory of Python files without `__init__.py`; one of templates or static files is no package."""
    return entry.is_dir() and entry.name.isidentifier() and any(entry.glob("*.py"))
