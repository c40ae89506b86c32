"""Prometheus beside Sereno: its scrape configuration and the recording rules that are generated for it."""
