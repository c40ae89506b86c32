"""The lab: a real dual-core softswitch on loopback, to be broken and healed at will."""

from deploy.lab.client import Lab
from deploy.lab.process import LabError

__all__ = ["Lab", "LabError"]
