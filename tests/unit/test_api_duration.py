from __future__ import annotations

from datetime import timedelta

import pytest

from webgarden.api.duration import parse, render


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", timedelta()),
        ("29h", timedelta(hours=29)),
        ("90s", timedelta(seconds=90)),
        ("1m30s", timedelta(seconds=90)),
        ("1h2m3s4ms", timedelta(hours=1, minutes=2, seconds=3, milliseconds=4)),
        ("250ms", timedelta(milliseconds=250)),
        ("5m5m", timedelta(minutes=10)),
    ],
)
def test_a_duration_is_read(text: str, value: timedelta) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1.5h", "1d", "1 s", "1s ", "1s\n", "1000000h", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse(text)


@pytest.mark.parametrize("text", ["0s", "29h", "90m", "90s", "20m", "1500ms", "26h"])
def test_a_duration_is_written_in_its_largest_exact_unit(text: str) -> None:
    assert render(parse(text)) == text


def test_what_is_written_is_read_back() -> None:
    for milliseconds in range(0, 4_000_000, 12_345):
        value = timedelta(milliseconds=milliseconds)
        assert parse(render(value)) == value


def test_what_takes_more_digits_than_can_be_read_is_mixed() -> None:
    assert render(timedelta(seconds=1_000_001)) == "277h46m41s"


def test_what_is_finer_than_a_millisecond_is_cut() -> None:
    assert render(timedelta(milliseconds=1, microseconds=999)) == "1ms"
