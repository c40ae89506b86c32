"""Every measure by its name: one file per family, and this registry of them all."""

from collector.thresholds.families import call, health, media, options, register, targets, traffic
from collector.thresholds.source import Source

SOURCES: dict[str, Source] = {
    **options.SOURCES,
    **register.SOURCES,
    **call.SOURCES,
    **media.SOURCES,
    **targets.SOURCES,
    **traffic.SOURCES,
    **health.SOURCES,
}
