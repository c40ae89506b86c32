"""What a customer's network does to calls, found out from the customer's premises before the phones are there."""

from probes.preflight.base import Line, Plan, State, overall
from probes.preflight.responder import Responder
from probes.preflight.run import TESTS, run

__all__ = ["TESTS", "Line", "Plan", "Responder", "State", "overall", "run"]
