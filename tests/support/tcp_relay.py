"""A TCP relay that can fall silent with its connections open (a dead network) or drop them and refuse (a dead host)."""

import asyncio
import threading


class Relay:
    """127.0.0.1:`port` leads to 127.0.0.1:`target`, while it is neither `silent` nor `closed`."""

    def __init__(self, target):
        self.target = target
        self.port = None
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._writers = set()
        self._server = None
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._do(self._listen(0))

    def silence(self):
        """Nothing passes any more; nobody is told."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def resume(self):
        self._loop.call_soon_threadsafe(self._open.set)

    def cut(self):
        """Every connection ends, and none is taken."""
        self._do(self._cut())

    def mend(self):
        self._do(self._listen(self.port))

    def close(self):
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what):
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self, port):
        self._open.set()
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self):
        self._server.close()
        await asyncio.sleep(0.05)  # what was just accepted arrives at `_taken` first
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # aborted transports close in the loop's next turns

    async def _taken(self, reader, writer):
        mine = {writer}
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            mine.add(far_writer)
            self._writers.add(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            return
        finally:
            for each in mine:
                each.transport.abort()
            self._writers -= mine

    async def _pump(self, reader, writer):
        while data := await reader.read(65_536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
