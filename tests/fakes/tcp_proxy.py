"""A relay of bytes on loopback that can be cut, made mute, or told to hold answers back.

A thread of its own: the clients under test block their whole process in a socket.
"""

import _socket
import select
import socket
import threading


class TcpProxy:
    """Stands before a port; ``port`` is its own."""

    def __init__(self, target_port):
        self._target = target_port
        self._listener = _listening()
        self.port = self._listener.getsockname()[1]
        self._pairs = []
        self._mute = threading.Event()
        self._holding = threading.Event()
        self._refusing = threading.Event()
        self._ending = threading.Event()
        self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def cut(self):
        """Break every connection, at once."""
        for pair in list(self._pairs):
            self._drop(pair)

    def mute(self):
        """Keep every connection open and carry nothing any more."""
        self._mute.set()

    def hold_answers(self):
        """Carry what the client says and keep back what it is answered."""
        self._holding.set()

    def let_go(self):
        """Carry everything again, what was held back included."""
        self._mute.clear()
        self._holding.clear()
        self._refusing.clear()

    def refuse(self):
        """Break everything and take no new connection."""
        self._refusing.set()
        self.cut()

    def close(self):
        self._ending.set()
        self._wake[1].send(b"x")
        self._thread.join(5)
        self.cut()
        for one in (self._listener, *self._wake):
            one.close()

    def _work(self):
        while not self._ending.is_set():
            watched = [self._listener, self._wake[0]]
            if not self._mute.is_set():
                for client, server in list(self._pairs):
                    watched.append(client)
                    if not self._holding.is_set():
                        watched.append(server)
            try:
                ready, _, _ = select.select(watched, [], [], 0.02)
            except (OSError, ValueError):
                continue
            for one in ready:
                self._serve(one)

    def _serve(self, one):
        if one is self._wake[0]:
            return
        if one is self._listener:
            self._accept()
            return
        for pair in list(self._pairs):
            if one in pair:
                self._carry(pair, one)

    def _accept(self):
        client = self._listener.accept()[0]
        if self._refusing.is_set():
            client.close()
            return
        server = _plain_socket()
        try:
            server.connect(("127.0.0.1", self._target))
        except OSError:
            client.close()
            server.close()
            return
        self._pairs.append((client, server))

    def _carry(self, pair, one):
        other = pair[1] if one is pair[0] else pair[0]
        try:
            data = one.recv(65536)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self._drop(pair)

    def _drop(self, pair):
        if pair in self._pairs:
            self._pairs.remove(pair)
        for one in pair:
            one.close()


def _plain_socket():
    """A socket below the layer that keeps tests from the network."""
    return _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)


def _listening():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener
