"""`natural`: what a phone sees. OPTIONS for the service's domain, sent to the SBC; failover between cores included."""

from probes.checks.base import Runtime, Target
from probes.checks.signalling import measure, sbc_uri
from probes.sip.client import Ask
from sereno.wire import Result


async def natural(target: Target, runtime: Runtime) -> Result:
    """One natural check."""
    uri = f"sip:{runtime.topology.domain}"
    ask = Ask(to=sbc_uri(target), uri=uri, timeout_seconds=target.timeout_seconds)
    return await measure(target, runtime, "natural", ask)
