"""The exposition read back, by the client library that it does without: as values, and as its own rendering."""

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from sereno.topology import parse_topology

KINDS = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
SMALL = parse_topology(
    "small",
    b"""
service: acme-voice
domain: voice.example
cores:
  core-a: {uri: "sip:127.0.2.1", members: {media: "tcp:127.82.3.1:1"}}
  core-b: {uri: "sip:127.0.2.2"}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:127.0.1.2"], primary: core-b, backup: core-a}
customers: {acme: {name: Acme, contract: callmyway}}
sites: {acme-bog: {customer: acme, sbcs: [sbc-1, sbc-2]}, acme-cal: {customer: acme, sbcs: [sbc-2]}}
checks: {options: {every: 1s, timeout: 900ms}}
probes:
  p: {network: isp-1}
  p1: {network: isp-1, canaries: ["sip:a", "tcp:b:1"]}
  p2: {network: isp-2}
  p3: {network: isp-2}
portals: {web: {url: "https://portal.example"}}
databases: {billing: {dsn: {env: BILLING}}}
""",
)


def values(text):
    """Every sample by its name with sorted labels, as a person would write it."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            inside = ",".join(f'{key}="{value}"' for key, value in sorted(one.labels.items()))
            name = f"{one.name}{{{inside}}}" if inside else one.name
            assert name not in found, f"twice: {name}"
            found[name] = one.value
    return found


def scraped(metrics):
    """What a plain-text scrape says now."""
    return values(metrics.render()[0].decode())


def registry_of(families):
    """The same samples as the client library holds them."""
    registry = CollectorRegistry()

    class All:
        def describe(self):
            return []

        def collect(self):
            for family in families:
                declared = family.declared
                made = KINDS[declared.kind](declared.family, declared.meaning, unit=declared.unit)
                for one in family.samples():
                    exemplar = one.exemplar and Exemplar(
                        {"call_id": one.exemplar.call_id}, one.exemplar.value, f"{one.exemplar.at_seconds:.3f}"
                    )
                    made.add_sample(one.name, one.labels, one.value, exemplar=exemplar or None)
                yield made

    registry.register(All())
    return registry
