"""What application code says about itself."""

import logging

import pytest

from webgarden_worker import declare_unhealthy, health


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_reasons", [])


def test_a_worker_is_healthy_until_somebody_says_otherwise() -> None:
    assert health.unhealthy_reason() is None


def test_the_first_reason_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("webgarden_worker")
    logger.addHandler(caplog.handler)
    try:
        declare_unhealthy("the library lost its licence")
        declare_unhealthy("requests fail")
    finally:
        logger.removeHandler(caplog.handler)
    assert health.unhealthy_reason() == "the library lost its licence"
    assert set(caplog.messages) == {"An application declares this worker unhealthy: the library lost its licence"}


def test_a_reason_has_to_say_something() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        declare_unhealthy(" ")
