"""A site may require what an older listener lacks: it is refused, never served without the rule."""

from __future__ import annotations

import aiohttp
from tests.listener.place import Place

from webgarden_link import FEATURES, Application, Binding, Site


def demanding(place: Place, *requires: str) -> Site:
    return Site(
        key=place.key("demanding"),
        bindings=(Binding(port=80, host=f"demanding.{place.host}"),),
        applications=(Application(path="/", pool=place.key()),),
        requires=requires,
    )


async def said(place: Place) -> tuple[int, str]:
    headers = {"Host": f"demanding.{place.host}"}
    async with aiohttp.ClientSession() as session, session.get(place.url(), headers=headers) as answer:
        return answer.status, answer.headers.get("X-Webgarden-Reason", "")


async def test_a_site_that_requires_what_the_listener_lacks_is_refused_until_it_does_not(place: Place) -> None:
    await place.up(place.worker())
    for lacking in ("teleportation", ""):
        await place.put(demanding(place, *FEATURES, *([lacking] if lacking else [])))
        refused = place.operator.site_reports[place.key("demanding")].refused
        if lacking:
            assert lacking in refused
            assert await said(place) == (404, "NoSite")
        else:
            assert not refused
            assert await said(place) == (200, "")
        async with place.session() as session, session.get("/") as other:
            assert other.status == 200


async def test_a_site_that_was_served_is_served_no_more_once_it_requires_what_the_listener_lacks(place: Place) -> None:
    await place.up(place.worker())
    await place.put(demanding(place))
    assert await said(place) == (200, "")
    await place.put(demanding(place, "teleportation"))
    assert await said(place) == (404, "NoSite")
