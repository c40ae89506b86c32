"""Verdicts (docs/verdicts.md): samples to opinions, opinions to votes, votes to verdicts. Pure: no clock, no I/O."""
