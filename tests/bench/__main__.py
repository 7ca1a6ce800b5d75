"""`python -m tests.bench`: run the benchmarks, print their tables, and write them down.

The release is installed when one of those is asked for that need it, and not before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.bench import coldstart, holding, idle, listener_scale, page, recycling, streaming, throughput
from tests.bench.bed import Bed, bed
from tests.bench.figures import Report, table
from tests.cluster import progress

ROOT = Path(__file__).parents[2]
RELEASE: Mapping[str, Callable[[Bed, int], Report]] = {
    "throughput": throughput.run,
    "coldstart": coldstart.run,
    "holding": holding.run,
    "recycling": recycling.run,
    "idle": idle.run,
}
"""Those that measure the installed release."""
LOOPBACK: Mapping[str, Callable[[int], Report]] = {"listener-scale": listener_scale.run, "streaming": streaming.run}
"""Those that need no cluster."""
WHOLE: Mapping[str, Callable[[int], Report]] = {"listener-scale": listener_scale.run_whole}
"""Those of which there is more to be had."""


def main(words: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    names: list[str] = options.only or [*RELEASE, *LOOPBACK]
    if options.as_it_is and "throughput" in names:
        parser.error("throughput upgrades the release, which is somebody else's: take --only with others")
    built = page.commit()
    with ExitStack() as stack:
        found = stack.enter_context(bed(as_it_is=options.as_it_is)) if RELEASE.keys() & names else None
        measures = _measures(found, options)
        reports = [_measured(name, measures[name]) for name in names]
        surroundings = page.surroundings(found, datetime.now(UTC), built)
    _write(reports, page.page(reports, surroundings, _command(options)), options)
    print(page.short(reports))
    return 0


def _measures(found: Bed | None, options: argparse.Namespace) -> Mapping[str, Callable[[], Report]]:
    """Those that can be run on what was found."""
    alone = {**LOOPBACK, **WHOLE} if options.whole else LOOPBACK
    made = {name: partial(run, options.rounds) for name, run in alone.items()}
    if found is not None:
        made.update({name: partial(run, found, options.rounds) for name, run in RELEASE.items()})
    return made


def _measured(name: str, measure: Callable[[], Report]) -> Report:
    progress.step(f"measuring: {name}")
    report = measure()
    print(f"\n{report.title}\n{table(report.rows)}\n", flush=True)
    return report


def _write(reports: Sequence[Report], whole: str, options: argparse.Namespace) -> None:
    if options.markdown:
        options.markdown.write_text(whole)
    elif not options.only:
        (ROOT / "docs/bench.md").write_text(whole)
        readme = ROOT / "README.md"
        readme.write_text(page.filled(readme.read_text(), reports, options.rounds))


def _command(options: argparse.Namespace) -> str:
    only = "".join(f" --only {name}" for name in options.only)
    return f"python -m tests.bench --rounds {options.rounds}{' --whole' if options.whole else ''}{only}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="how often each is measured [4]")
    parser.add_argument(
        "--only", action="append", default=[], choices=[*RELEASE, *LOOPBACK], help="this one; may be repeated"
    )
    parser.add_argument("--whole", action="store_true", help="listener-scale: with 5,000 pools, too")
    parser.add_argument(
        "--markdown",
        type=Path,
        help="where to write the report [a whole run: docs/bench.md, and its short form into README.md]",
    )
    parser.add_argument("--as-it-is", action="store_true", help="take the installed release, do not build and install")
    return parser


if __name__ == "__main__":
    sys.exit(main())
