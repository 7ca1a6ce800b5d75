"""`python -m tests.bench`: run the benchmarks, print their tables, and write them down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import coldstart, holding, idle, page, recycling, streaming, throughput
from tests.bench.bed import Bed, bed
from tests.bench.figures import Report, table
from tests.cluster import progress

ROOT = Path(__file__).parents[2]
BENCHMARKS: Mapping[str, Callable[[Bed, int], Report]] = {
    "throughput": throughput.run,
    "coldstart": coldstart.run,
    "holding": holding.run,
    "recycling": recycling.run,
    "idle": idle.run,
    "streaming": streaming.run,
}


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    if options.as_it_is and "throughput" in (options.only or BENCHMARKS):
        parser.error("throughput upgrades the release, which is somebody else's: take --only with others")
    reports: list[Report] = []
    built = page.commit()
    with bed(as_it_is=options.as_it_is) as found:
        for name in options.only or BENCHMARKS:
            progress.step(f"measuring: {name}")
            reports.append(BENCHMARKS[name](found, options.rounds))
            print(f"\n{reports[-1].title}\n{table(reports[-1].rows)}\n", flush=True)
        surroundings = page.surroundings(found, datetime.now(UTC), built)
    whole = page.page(reports, surroundings, _command(options))
    if options.markdown:
        options.markdown.write_text(whole)
    elif not options.only:
        (ROOT / "docs/bench.md").write_text(whole)
        readme = ROOT / "README.md"
        readme.write_text(page.filled(readme.read_text(), reports, options.rounds))
    print(page.short(reports))
    return 0


def _command(options: argparse.Namespace) -> str:
    only = "".join(f" --only {name}" for name in options.only)
    return f"python -m tests.bench --rounds {options.rounds}{only}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="how often each is measured [4]")
    parser.add_argument(
        "--only", action="append", default=[], choices=list(BENCHMARKS), help="this one; may be repeated"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        help="where to write the report [a whole run: docs/bench.md, and its short form into README.md]",
    )
    parser.add_argument("--as-it-is", action="store_true", help="take the installed release, do not build and install")
    return parser


if __name__ == "__main__":
    sys.exit(main())
