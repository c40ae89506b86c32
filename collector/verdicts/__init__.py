"""Verdicts (DESIGN §8): samples to opinions, opinions to votes, votes to verdicts. Pure: no clock, no I/O."""
