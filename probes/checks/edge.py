"""`edge`: is the SBC itself there? OPTIONS for the SBC with Max-Forwards 0, so that nobody behind it can answer.

It answers its own OPTIONS, or says 483 (RFC 3261 sections 11 and 16.3): both prove that it is alive.
"""

from probes.checks.base import Runtime, Target
from probes.checks.signalling import measure, sbc_uri
from probes.sip.client import Ask
from sereno.wire import Result


async def edge(target: Target, runtime: Runtime) -> Result:
    """One edge check."""
    to = sbc_uri(target)
    ask = Ask(to=to, uri=to.itself, max_forwards=0, timeout_seconds=target.timeout_seconds)
    found = await measure(target, runtime, "edge", ask)
    return found if runtime.standings is None else runtime.standings.told(target, runtime, found)
