"""DNS: whether the SBC's name leads somewhere from here (RFC 3263)."""

from probes.preflight.base import Line, Plan, Say, untested
from probes.sip.errors import NetworkError
from probes.sip.resolve import Resolver
from probes.sip.uri import SipUri


async def names(plan: Plan) -> list[Line]:
    """One line per name; SBCs that are given by address need none."""
    asked = [address for sbc in (plan.sbc, *plan.others) for address in sbc.addresses if address.is_name]
    if not asked:
        said = Say("the SBC is given by its address: no name to ask for")
        return [untested("dns", plan.sbc.name, said)]
    resolver = Resolver(plan.resolvers)
    try:
        return [await _line(resolver, address, plan.timeout_seconds) for address in asked]
    finally:
        await resolver.close()


async def _line(resolver: Resolver, address: SipUri, seconds: float) -> Line:
    try:
        known = await resolver.targets(address, seconds=seconds)
    except NetworkError as error:
        return Line(
            test="dns",
            subject=address.host,
            state="failed",
            said=Say("the name leads nowhere: {why}", {"why": str(error)}),
            remedy=Say(
                "let phones and this machine ask a resolver that knows the name, or enter the SBC by its address"
            ),
        )
    targets = [target.uri for target in known.targets]
    return Line(
        test="dns",
        subject=address.host,
        state="ok",
        said=Say("leads to {targets}", {"targets": ", ".join(targets)}),
        facts={"targets": targets, "how": known.located.how},
    )
