"""One release for all tests of this folder, a namespace for each; what one would look at first is shown when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.installation import Installation, installed
from tests.e2e.tenant import Tenant


def pytest_configure(config: pytest.Config) -> None:
    text = (
        "signals a process of the cluster, so the cluster must be this machine's own (`-m 'not own_machine'` elsewhere)"
    )
    config.addinivalue_line("markers", f"own_machine: {text}")


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    found = installed()
    yield found
    found.kubernetes.close()


@pytest.fixture
def tenant(installation: Installation) -> Iterator[Tenant]:
    made = Tenant.create(installation)
    yield made
    made.delete()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ANN401
    report = yield
    tenant = getattr(item, "funcargs", {}).get("tenant")
    if report.failed and call.when == "call" and isinstance(tenant, Tenant):
        report.sections.append(("the tenant", tenant.describe()))
        report.sections.append(("the release", tenant.installation.diagnosis()))
    return report
