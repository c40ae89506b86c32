"""`options`: a path, forced. OPTIONS for the core through the SBC.

By a preloaded Route (RFC 3261 section 8.1.2), or by the way that the topology's `steer` says.
"""

from probes.checks.base import Runtime, Target
from probes.checks.signalling import measure, sbc_uri
from probes.sip.client import Ask
from probes.sip.uri import SipUri, fill
from sereno.topology.model import Topology
from sereno.wire import Result


async def options(target: Target, runtime: Runtime) -> Result:
    """One forced check."""
    return await measure(target, runtime, "options", forced(target, runtime.topology, sbc_uri(target)))


def forced(target: Target, topology: Topology, to: SipUri) -> Ask:
    """What to send so that this SBC takes it to this core.

    By default a Route to the SBC and the core's URI. With `steer.to` that URI, with `steer.header` that header and the
    service's domain (the core's URI where there is none); either without a Route, because the SBC chooses by itself.
    """
    if target.sbc is None or target.core is None:
        raise RuntimeError("a forced check needs an SBC and a core")
    core, steer = topology.cores[target.core], topology.sbcs[target.sbc].steer
    timeout = target.timeout_seconds

    def filled(text: str) -> str:
        return fill(text, core=target.core or "", core_uri=core.uri, prefix=core.prefix, sbc=to, domain=topology.domain)

    if steer is not None and steer.to is not None:
        headers = (filled(steer.header),) if steer.header is not None else ()
        return Ask(to=to, uri=filled(steer.to), headers=headers, timeout_seconds=timeout)
    if steer is not None and steer.header is not None:
        uri = f"sip:{topology.domain}" if topology.domain else core.uri
        return Ask(to=to, uri=uri, headers=(filled(steer.header),), timeout_seconds=timeout)
    return Ask(to=to, uri=core.uri, route=to.route, timeout_seconds=timeout)
