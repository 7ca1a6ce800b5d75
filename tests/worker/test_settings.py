"""The environment of the container."""

from pathlib import Path

import pytest

from webgarden_worker.errors import SettingsError
from webgarden_worker.settings import Settings


def test_nothing_has_to_be_set() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.port, settings.control_port, settings.shutdown_seconds) == (8080, 8081, 90)


def test_everything_can_be_set() -> None:
    settings = Settings.from_environment(
        {
            "WEBGARDEN_PORT": "8000",
            "WEBGARDEN_CONTROL_PORT": "8001",
            "WEBGARDEN_CONTROL_TOKEN_FILE": "/var/run/token",
            "WEBGARDEN_POOL": "shop",
            "WEBGARDEN_WORKER": "shop-1",
            "WEBGARDEN_SHUTDOWN_SECONDS": "30",
            "WEBGARDEN_THREADS": "8",
            "WEBGARDEN_ACCESS_LOG": "1",
        }
    )
    assert settings == Settings(
        port=8000,
        control_port=8001,
        control_token_file=Path("/var/run/token"),
        pool="shop",
        worker="shop-1",
        shutdown_seconds=30,
        threads=8,
        access_log=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBGARDEN_PORT", "http"),
        ("WEBGARDEN_PORT", "0"),
        ("WEBGARDEN_PORT", "65536"),
        ("WEBGARDEN_PORT", "٨٠"),
        ("WEBGARDEN_SHUTDOWN_SECONDS", "90s"),
        ("WEBGARDEN_THREADS", "-1"),
        ("WEBGARDEN_ACCESS_LOG", "yes"),
    ],
)
def test_a_value_that_cannot_be_followed_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} '{value}'"):
        Settings.from_environment({name: value})


def test_both_ports_cannot_be_the_same() -> None:
    with pytest.raises(SettingsError, match="both 8081"):
        Settings.from_environment({"WEBGARDEN_PORT": "8081"})
