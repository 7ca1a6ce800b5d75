"""One release for all tests of this folder, a namespace for each; what one would look at first is shown when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.installation import Installation, installed
from tests.e2e.tenant import MARK, Tenant


def pytest_configure(config: pytest.Config) -> None:
    text = (
        "signals a process of the cluster, so the cluster must be this machine's own (`-m 'not own_machine'` elsewhere)"
    )
    config.addinivalue_line("markers", f"own_machine: {text}")


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    found = installed()
    for left in found.kubernetes.list("Namespace", labels=MARK):  # by a run that was cut off
        found.kubernetes.delete("Namespace", left["metadata"]["name"])
    yield found
    found.kubernetes.close()


@pytest.fixture
def tenant(installation: Installation) -> Iterator[Tenant]:
    made = Tenant.create(installation)
    yield made
    made.delete()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests counted, also of those that passed."""
    folder = Path(__file__).parent.relative_to(terminalreporter.config.rootpath).as_posix()
    passed: list[pytest.TestReport] = terminalreporter.stats.get("passed", [])
    for report in passed:
        if report.nodeid.startswith(f"{folder}/") and report.capstdout:
            terminalreporter.write_line(report.nodeid.removeprefix(f"{folder}/"), bold=True)
            terminalreporter.write_line(report.capstdout.rstrip())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ANN401
    report = yield
    tenant = getattr(item, "funcargs", {}).get("tenant")
    if report.failed and call.when == "call" and isinstance(tenant, Tenant):
        report.sections.append(("the tenant", tenant.describe()))
        report.sections.append(("the release", tenant.installation.diagnosis()))
    return report
