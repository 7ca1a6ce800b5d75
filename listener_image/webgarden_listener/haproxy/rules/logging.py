"""Which requests are logged, and how: one JSON object a line.

HAProxy takes a refusal with 404 or 405 for a success, hence the extra rule. What is no request has no variables of one: it
is logged by the profile's step `error`, with one reason for all that its status tells apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules.frame import Frame

PROFILE = "ours"
FORMAT = (
    '"%{+json}o %(time)[request_date(ms)] %(client)ci %(site)[var(txn.site)] %(method)HM %(host)[var(txn.host)] %(uri)HU '
    "%(status)ST %(reason)[var(txn.reason)] %(pool)[var(txn.pool)] %(server)s %(queue_ms)Tw %(queue_position)bq "
    '%(connect_ms)Tc %(answer_ms)Tr %(total_ms)Ta %(bytes)B %(retries)rc %(termination)ts"'
)


def profile() -> Iterator[str]:
    """Of the section `log-profile`."""
    yield f"on error format {FORMAT.replace('var(txn.reason)', 'str(BadRequest)')}"


def own(frame: Frame) -> Iterator[str]:
    yield f"log stdout format raw profile {PROFILE} local0 info"
    yield f"log-format {FORMAT}"
    if not frame.settings.haproxy.log_all:
        yield "option dontlog-normal"
        yield "http-after-response do-log if { status 404 405 }"
