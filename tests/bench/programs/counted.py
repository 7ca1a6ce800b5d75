"""A worker that opens its port when it is told to, and counts how many requests it has at a time.

Control port 9000: GET /open lets it begin, GET /most answers the most requests it ever had at once.
"""

import asyncio
import os

WORK = 0.002
now = most = 0


async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global now, most
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            now += 1
            most = max(most, now)
            await asyncio.sleep(WORK)
            now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"/open" in head:
        await asyncio.start_server(client, port=int(os.environ["WEBGARDEN_PORT"]), backlog=4096)
    body = str(most).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    writer.close()


async def main() -> None:
    await asyncio.start_server(control, port=9000)
    await asyncio.Event().wait()


asyncio.run(main())
