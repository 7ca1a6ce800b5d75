"""The link's certificates: a real TLS handshake believes them, for the right name and at the right time."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from webgarden.link.authority import AUTHORITY_RENEWAL, SERVER_RENEWAL, Authority, AuthorityError

HOST = "webgarden-link.web.svc"


def now() -> datetime:
    return datetime.now(UTC)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A whole handshake in memory. Raises what the client raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].version() == "TLSv1.3"
    assert sides[0].getpeercert()


def serving(authority: Authority, *, at: datetime | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue((HOST, f"{HOST}.cluster.local"), at or now()).load_into(context)
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
    return context


@pytest.mark.parametrize("host", [HOST, f"{HOST}.cluster.local"])
def test_a_client_that_trusts_the_authority_believes_the_server(host: str) -> None:
    authority = Authority.make(now())
    shake_hands(serving(authority), trusting(authority), host)


def test_a_server_of_another_name_is_not_believed() -> None:
    authority = Authority.make(now())
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(serving(authority), trusting(authority), "elsewhere.test")


def test_a_server_of_another_authority_is_not_believed() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(serving(Authority.make(now())), trusting(Authority.make(now())), HOST)


def test_a_certificate_whose_time_is_over_is_not_believed() -> None:
    authority = Authority.make(now() - timedelta(days=90))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(serving(authority, at=now() - timedelta(days=60)), trusting(authority), HOST)


def test_a_context_in_use_takes_the_next_certificate() -> None:
    authority = Authority.make(now())
    context = serving(authority)
    other = Authority.make(now())
    other.issue((HOST,), now()).load_into(context)
    shake_hands(context, trusting(other), HOST)


def test_an_authority_is_the_same_after_it_was_stored() -> None:
    made = Authority.make(now())
    read = Authority.read(made.certificate_pem, made.key_pem)
    shake_hands(serving(read), trusting(made), HOST)


@pytest.mark.parametrize(("certificate", "key"), [(b"", b""), (b"no", b"pem")])
def test_what_is_no_authority_is_told_with_the_cure(certificate: bytes, key: bytes) -> None:
    with pytest.raises(AuthorityError, match="delete its Secret"):
        Authority.read(certificate, key)


def test_an_authority_is_stale_in_its_last_year() -> None:
    made = Authority.make(now())
    ends = made.certificate.not_valid_after_utc
    assert not made.stale(ends - AUTHORITY_RENEWAL)
    assert made.stale(ends - AUTHORITY_RENEWAL + timedelta(seconds=1))


def test_a_certificate_is_due_before_it_ends_and_valid_on_clocks_that_are_late() -> None:
    made = Authority.make(now()).issue((HOST,), now())
    assert not made.due(made.expires - SERVER_RENEWAL)
    assert made.due(made.expires - SERVER_RENEWAL + timedelta(seconds=1))
    assert x509.load_pem_x509_certificate(made.certificate).not_valid_before_utc < now() - timedelta(minutes=4)
