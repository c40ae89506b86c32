"""Who is told and how: the model of `desk.yaml` and its loading."""

from sereno.desk.load import desk_from_json, load_desk, parse_desk
from sereno.desk.model import ChannelConfig, Desk, Level, Person

__all__ = ["ChannelConfig", "Desk", "Level", "Person", "desk_from_json", "load_desk", "parse_desk"]
