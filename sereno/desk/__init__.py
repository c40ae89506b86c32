"""Who is told and how: the model of `desk.yaml` and its loading."""

from sereno.desk.load import load_desk, parse_desk
from sereno.desk.model import Channel, Desk, Level, Person

__all__ = ["Channel", "Desk", "Level", "Person", "load_desk", "parse_desk"]
