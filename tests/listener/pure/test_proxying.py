"""The header with which a pool rings."""

from __future__ import annotations

import struct

import pytest

from webgarden_listener.proxying import PREFIX, SIGNATURE, Origin, ProxyError, origin, rest


def value(kind: int, text: bytes) -> bytes:
    return struct.pack("!BH", kind, len(text)) + text


def header(body: bytes, *, family: int = 0x11, version: int = 0x21) -> tuple[bytes, bytes]:
    return SIGNATURE + struct.pack("!BBH", version, family, len(body)), body


@pytest.mark.parametrize(("family", "size"), [(0x00, 0), (0x11, 12), (0x21, 36), (0x31, 216)])
def test_the_values_come_after_the_addresses_of_each_family(family: int, size: int) -> None:
    body = b"\xff" * size + value(0x04, b"padding") + value(0xE0, b"n:p") + value(0xE1, b"1700000000500")
    prefix, body = header(body, family=family)
    assert len(prefix) == PREFIX
    assert rest(prefix) == len(body)
    assert origin(prefix, body) == Origin("n:p", 1_700_000_000.5)


@pytest.mark.parametrize("arrival", [b"", value(0xE1, b""), value(0xE1, b"soon"), value(0xE1, b"-1")])
def test_a_time_that_is_not_said_is_none(arrival: bytes) -> None:
    assert origin(*header(b"\xff" * 12 + value(0xE0, b"n:p") + arrival)).arrival == 0


@pytest.mark.parametrize("body", [b"", b"\xff" * 12, b"\xff" * 12 + b"\xe0", b"\xff" * 12 + value(0xE0, b"n:p")[:-1]])
def test_a_header_that_names_no_backend_is_refused(body: bytes) -> None:
    with pytest.raises(ProxyError):
        origin(*header(body))


@pytest.mark.parametrize("prefix", [b"", b"GET / HTTP/1.1\r\n", header(b"", version=0x11)[0], SIGNATURE])
def test_what_is_no_header_is_refused(prefix: bytes) -> None:
    with pytest.raises(ProxyError):
        rest(prefix)
