"""What a visitor's browser does with an application: follows redirects, keeps cookies, fills in forms."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

DEADLINE = 30.0


class Browser:
    def __init__(self, base: str, *, host: str = "") -> None:
        """`base`: where to go, `http://address:port`. `host`: the name of the site, when the address is not its own."""
        self.base = base
        self.cookies = http.cookiejar.CookieJar()
        self._headers = {"Host": host} if host else {}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.page = ""
        self.path = ""

    def open(self, path: str, fields: Mapping[str, str] | None = None) -> int:
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            request = urllib.request.Request(f"{self.base}{path}", data, self._headers)
            answer = self._opener.open(request, timeout=DEADLINE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.page = answer.read().decode()
            self.path = urllib.parse.urlsplit(answer.url).path
            return int(answer.status)

    def submit(self, **fields: str) -> int:
        """Send the form of the page, with the hidden fields it has."""
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page))
        return self.open(self.path, {**hidden, **fields})
