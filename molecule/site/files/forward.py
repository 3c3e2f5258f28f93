"""forward.py PORT TO SECONDS: hand connections to PORT on to 127.0.0.1:TO, for so long."""

import asyncio
import sys

port, to, seconds = (int(word) for word in sys.argv[1:])


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def connected(reader, writer):
    try:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", to)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))


async def main():
    server = await asyncio.start_server(connected, "0.0.0.0", port)
    async with server:
        await asyncio.sleep(seconds)


asyncio.run(main())
