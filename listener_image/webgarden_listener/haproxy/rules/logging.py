"""Which requests are logged, and how: one JSON object a line.

HAProxy takes a refusal with 404 for a success, hence the extra rule. What is no request has no variables of one: it is
logged by the profile's step `error`.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules.frame import Frame

FORMAT = (
    '"%{+json}o %(time)[request_date(ms)] %(client)ci %(site)[var(txn.site)] %(method)HM %(host)[var(txn.host)] %(uri)HU '
    "%(status)ST %(reason)[var(txn.reason)] %(pool)[var(txn.pool)] %(server)s %(queue_ms)Tw %(queue_position)bq "
    '%(connect_ms)Tc %(answer_ms)Tr %(total_ms)Ta %(bytes)B %(retries)rc %(termination)ts"'
)


def own(frame: Frame) -> Iterator[str]:
    yield "log stdout format raw local0 info"
    yield f"log-format {FORMAT}"
    if not frame.settings.haproxy.log_all:
        yield "option dontlog-normal"
        yield "http-after-response do-log if { status 404 }"
