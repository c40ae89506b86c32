"""Bounds of histograms and closed lists of label values."""

DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.9, 1.5, 2.5, 5.0, 10.0, 30.0)
CALL_TIMES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
JITTER = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
OWN_JITTER = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
LATENESS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
MOS = (1.0, 2.0, 2.58, 3.1, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)

STATES = ("up", "degraded", "down", "unknown", "maintenance")
PRIORITIES = ("Urgente", "Alta", "Normal", "Baja")
INCIDENT_STATES = ("open", "acknowledged", "in_progress", "reopened", "resolved")
CLOCKS = ("attention", "solution")
OUTCOMES = ("sent", "failed", "expired", "obsolete")
PERIODS = ("hour", "day", "3d", "month")
UNMEASURED = ("own_jitter", "own_stall")
DOUBTS = ("clock", "cpu", "network")
REFUSALS = ("version", "malformed", "identity", "range", "name", "clock_ahead", "clock_behind", "other")
