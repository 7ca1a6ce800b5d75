"""What a visitor reads when no application answers.

The status is 404 in every case, also for the page of a worker that has nothing to host: whoever watches a site by its
status must not see a healthy one where none was deployed, and no cache should keep the page. IIS shows its start page
with 200, but that is a page on a disk which an administrator put there.
"""

from starlette.responses import HTMLResponse, PlainTextResponse, Response

_NO_STORE = {"cache-control": "no-store"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Webgarden</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 15vh auto; padding: 0 1.5rem; color: #243b2c }}
h1 {{ font-weight: 600 }}
pre {{ background: #eef4ef; padding: 1rem; overflow-x: auto; font-size: .9rem }}
</style>
</head>
<body>
<h1>This pool has no application yet</h1>
<p>A worker of the application pool <strong>{pool}</strong> is running and has nothing to host.
Name an application in a <code>Site</code> that uses the pool:</p>
<pre>applications:
- path: /
  pool: {pool}
  app: {{kind: Static, root: /srv/site}}</pre>
<p>The kinds are <code>ASGI</code>, <code>WSGI</code>, <code>CGI</code> and <code>Static</code>.</p>
</body>
</html>
"""


def nothing_hosted(*, pool: str) -> Response:
    return HTMLResponse(_PAGE.format(pool=pool), status_code=404, headers=_NO_STORE)


def no_such_application(*, site: str | None, path: str) -> Response:
    where = f"site {site}" if site else "any site"
    text = f"This worker has no application of {where} for the path {path}\n"
    return PlainTextResponse(text, status_code=404, headers=_NO_STORE)
