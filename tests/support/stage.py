"""Live systems at work side by side: most of a scenario is waiting, and a quiet system costs a tenth of a core."""

import inspect
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from live_sereno import Hook, Live

_ACTS = {}  # by the name of their test, in the file's order


def scenario(act):
    """A test `act(start)` or `act(start, hook)`: it begins with the first of its file, and is judged in its turn."""
    _ACTS[act.__name__] = act

    def test(stage):
        stage.outcome(act.__name__)

    test.__name__, test.__doc__ = act.__name__, act.__doc__
    return test


class Stage:
    """Plays acts in threads; each has systems and a hook of its own, and nothing of them left afterwards."""

    def __init__(self, at_once):
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="act")
        self._going: dict[str, Future] = {}
        self._starting = threading.Lock()  # a start takes the first free net, and all of a processor

    def begin(self, names):
        """Those of these tests that are acts, as threads come free."""
        for name in names:
            if name in _ACTS:
                self._going[name] = self._pool.submit(self._play, _ACTS[name])

    def outcome(self, name):
        """What its thread found; played again, alone, when it is asked for once more."""
        going = self._going.pop(name, None)
        if going is None:
            self._play(_ACTS[name])
        else:
            going.result()

    def system(self, **settings):
        """A system that is up; who asked for it closes it."""
        with self._starting:
            live = Live(**settings)
            try:
                return live.start()
            except BaseException:
                live.close()
                raise

    def close(self):
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _play(self, act):
        with ExitStack() as after:

            def start(**settings):
                live = self.system(**settings)
                after.callback(live.close)
                return live

            if "hook" not in inspect.signature(act).parameters:
                act(start)
                return
            hook = Hook()
            after.callback(hook.close)
            act(start, hook)
