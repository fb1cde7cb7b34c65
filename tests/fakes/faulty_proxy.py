"""Doors on loopback through which a campaign's processes speak, and what a bad network does at each.

All doors of a test share one loop in a thread of its own. A fault is armed on a door and strikes what
passes until the door is healed; chances are drawn from the campaign's seed. What a client that left
had still under way is dropped, never delivered later: a network that keeps a request for minutes can
make any system do it twice, and no hub can help that.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress

LATENCY, CUT, RESET = "latency", "cut", "reset"
HALF_OPEN, SLOW_LORIS, REFUSED = "half_open", "slow_loris", "refused"
DUPLICATE, REORDER = "duplicate", "reorder"
FAULTS = (LATENCY, CUT, RESET, HALF_OPEN, SLOW_LORIS, REFUSED)
MIXED = (DUPLICATE, REORDER)  # of requests: a door must read them
SLOWEST_SECONDS = 5.0
BYTES_BEFORE_A_CUT = 2000
DRIP_BYTES, DRIP_SECONDS = 16, 0.05
WINDOW_SECONDS, WINDOW_LEAST = 0.6, 4
PIECE = 65536
LINGER_NOT = struct.pack("ii", 1, 0)


class BrokenLineError(Exception):
    """A fault ended this connection."""


class Proxies:
    """Every door of a test; ``close`` ends them all."""

    def __init__(self, seed):
        self._chances = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.doors = {}

    def before(self, name, port, *, reads_requests=False):
        """Open a door before a port; a door that reads requests can double and shuffle them."""
        chances = random.Random(self._chances.random())
        kind = RequestDoor if reads_requests else Door
        self.doors[name] = kind(self._loop, port, chances)
        self._do(self.doors[name].open())
        return self.doors[name]

    def arm(self, name, fault):
        """Have a fault strike at a door."""
        self._do(self.doors[name].arm(fault))

    def heal(self):
        """Have every door carry everything again."""
        for door in self.doors.values():
            self._do(door.heal())

    @property
    def struck(self):
        """How many connections each fault touched, by ``door fault``."""
        return {
            f"{name} {fault}": number
            for name, door in self.doors.items()
            for fault, number in door.struck.items()
        }

    def close(self):
        for door in self.doors.values():
            self._do(door.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


class Line:
    """One connection through a door: its client, its server, and what befell it."""

    def __init__(self, client, server):
        self.ends = (client, server)
        self.is_struck = False
        self.bytes_left = None

    @property
    def client_is_gone(self):
        return self.ends[0][0].at_eof()

    def drop(self, *, rudely):
        for _, writer in self.ends:
            with suppress(OSError):
                if rudely and (sock := writer.get_extra_info("socket")) is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            writer.transport.abort() if rudely else writer.close()


class Door:
    """Carries bytes between whoever comes and one port, as well as its fault lets it."""

    def __init__(self, loop, target, chances):
        self._loop, self._target, self._chances = loop, target, chances
        # never listens: while the door is shut its port stays ours, and whoever comes is refused
        self._held = _bound(0)
        self.port = self._held.getsockname()[1]
        self._server = None
        self._lines, self._tasks = set(), set()
        self._fault = None
        self._healed = asyncio.Event()
        self.struck = Counter()

    async def open(self):
        sock = _bound(self.port)
        self._server = await asyncio.start_server(self._come, sock=sock, limit=PIECE)

    async def arm(self, fault):
        self._fault, self._healed = fault, asyncio.Event()
        if fault == REFUSED:
            self._server.close()
            self.struck[REFUSED] += 1  # whoever comes is not seen here
        if fault in {REFUSED, RESET}:
            for line in list(self._lines):
                self._note(line)
                line.drop(rudely=True)

    async def heal(self):
        fault, self._fault = self._fault, None
        self._healed.set()
        if fault == REFUSED:
            await self.open()
        for line in list(self._lines):
            if fault == HALF_OPEN and line.is_struck:
                line.drop(rudely=True)  # the other side forgot the connection long ago
            line.is_struck, line.bytes_left = False, None

    async def close(self):
        self._fault = None
        self._healed.set()
        self._server.close()
        for line in list(self._lines):
            line.drop(rudely=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._held.close()

    async def _come(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            with suppress(OSError):
                await self._through((reader, writer))
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _through(self, client):
        server = await asyncio.open_connection("127.0.0.1", self._target, limit=PIECE)
        line = Line(client, server)
        self._lines.add(line)
        carried = [
            asyncio.ensure_future(self._carry(line, client[0], server[1])),
            asyncio.ensure_future(self._carry(line, server[0], client[1])),
        ]
        try:
            await asyncio.wait(carried, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in carried:
                one.cancel()
            await asyncio.gather(*carried, return_exceptions=True)
            self._lines.discard(line)
            server[1].close()

    async def _carry(self, line, reader, writer):
        """Carry one way until either side ends; the other way ends with it."""
        with suppress(OSError, BrokenLineError):
            while piece := await reader.read(PIECE):
                await self._pass(line, piece, writer)

    async def _pass(self, line, piece, writer):
        fault = self._fault
        if fault is not None:
            self._note(line)
        match fault:
            case "latency":
                await self._rest(line, self._chances.uniform(0, SLOWEST_SECONDS))
            case "half_open":
                await self._healed.wait()
                raise BrokenLineError
            case "reset":
                line.drop(rudely=True)
                raise BrokenLineError
            case "cut":
                piece = self._short(line, piece)
            case "slow_loris":
                piece = await self._dripped(line, piece, writer)
        writer.write(piece)
        await writer.drain()
        if line.bytes_left == 0:
            line.drop(rudely=False)
            raise BrokenLineError

    async def _rest(self, line, seconds):
        """Wait, until healed at most; nothing goes on for a client that left meanwhile."""
        healed = self._healed
        with suppress(TimeoutError):
            await asyncio.wait_for(healed.wait(), seconds)
        if line.client_is_gone:
            raise BrokenLineError

    def _short(self, line, piece):
        """Return what of a piece still goes through before the line is cut."""
        if line.bytes_left is None:
            line.bytes_left = self._chances.randint(1, BYTES_BEFORE_A_CUT)
        kept = piece[: line.bytes_left]
        line.bytes_left -= len(kept)
        return kept

    async def _dripped(self, line, piece, writer):
        """Write a piece bit by bit; returns what is left of it when healed."""
        while piece and self._fault == SLOW_LORIS:
            writer.write(piece[:DRIP_BYTES])
            await writer.drain()
            piece = piece[DRIP_BYTES:]
            await self._rest(line, DRIP_SECONDS)
        return piece

    def _note(self, line):
        if not line.is_struck:
            line.is_struck = True
            self.struck[self._fault] += 1


class RequestDoor(Door):
    """A door before a web server: it reads whole requests, to send them twice or in another order."""

    def __init__(self, loop, target, chances):
        super().__init__(loop, target, chances)
        self._waiting = []

    async def _carry(self, line, reader, writer):
        if reader is line.ends[1][0]:
            await super()._carry(line, reader, writer)
            return
        with suppress(OSError, BrokenLineError, asyncio.IncompleteReadError):
            while True:
                request = await _request(reader)
                if self._fault == DUPLICATE:
                    self._note(line)
                    await self._twice(request)
                elif self._fault == REORDER:
                    self._note(line)
                    await self._in_turn()
                await self._pass(line, request, writer)

    async def _twice(self, request):
        """Send a request on a connection of its own; before the client's, beside it, or after."""
        wait = self._chances.choice((None, 0.0, 0.3))
        task = asyncio.ensure_future(self._alone(request, wait or 0.0))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if wait is None:
            await task

    async def _alone(self, request, wait):
        await asyncio.sleep(wait)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
            writer.write(request)
            await reader.read(PIECE)
            writer.close()

    async def _in_turn(self):
        """Wait until enough requests are here, or long enough; they go on in a drawn order."""
        turn = self._loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) >= WINDOW_LEAST:
            self._let_go()
        else:
            self._loop.call_later(WINDOW_SECONDS, self._let_go)
        await turn
        await asyncio.sleep(self._chances.uniform(0, 0.05))

    def _let_go(self):
        waiting, self._waiting = self._waiting, []
        self._chances.shuffle(waiting)
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)


async def _request(reader):
    """Read one request whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
    return head + await reader.readexactly(size)


def _bound(port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made
