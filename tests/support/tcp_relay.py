"""A TCP relay that can fall silent with its connections open (a dead network) or drop them and refuse (a dead host)."""

import contextlib
import socket
import threading


class Relay:
    """127.0.0.1:`port` leads to 127.0.0.1:`target`, unless it was silenced or cut."""

    def __init__(self, target):
        self.target, self.port = target, 0
        self._passing = threading.Event()
        self._sockets, self._lock = set(), threading.Lock()
        self._server = None
        self.mend()

    def silence(self):
        """Nothing passes any more; nobody is told."""
        self._passing.clear()

    def resume(self):
        self._passing.set()

    def cut(self):
        """Every connection ends, and none is taken."""
        if self._server is None:
            return
        self._server.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._accepting.join()
        self._server.close()
        self._server = None
        self._passing.set()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def mend(self):
        """Connections are taken, at the port of before, and all passes."""
        self._passing.set()
        self._threads = []
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._server,))
        self._accepting.start()

    close = cut

    def _accept(self, server):
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._relay, args=(near,))
            with self._lock:
                self._sockets.add(near)
            self._threads.append(thread)
            thread.start()

    def _relay(self, near):
        far = None
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
            with self._lock:
                self._sockets.add(far)
            back = threading.Thread(target=self._pump, args=(far, near))
            back.start()
            self._pump(near, far)
            back.join()
        except OSError:
            return
        finally:
            with self._lock:
                self._sockets -= {near, far}
            near.close()
            if far is not None:
                far.close()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._passing.wait()
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
