"""A pool resolves the names of SBCs by the resolvers that the topology names, as every other check does."""

import socket

import pytest

from probes.checks import Target
from probes.sip.errors import NetworkError
from probes.sip.pool import CallPool
from sereno.clock import SystemClock


async def test_calls_ask_the_resolvers_of_the_topology():
    """One that never answers: the machine's own, and its hosts file, would know `localhost`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.113.53.200", 53))
        except PermissionError:
            pytest.skip("port 53 needs root")
        target = Target(check="register", sbc="s", core="c", address="sip:localhost:5060", account="a")
        pool = CallPool([target], SystemClock(), capture=False, resolvers=("127.113.53.200",))
        try:
            with pytest.raises(NetworkError, match="no answer from the resolver"):
                await pool.address(target, 0.3)
        finally:
            await pool.stop()
