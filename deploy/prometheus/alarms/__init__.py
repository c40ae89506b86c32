"""The alarms of alarms.yaml as rules for Prometheus: `render` (the rules), `checks` (their own tests)."""
