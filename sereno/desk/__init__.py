"""Who is told and how: the model of `desk.yaml` and its loading."""

from sereno.desk.channels import ChannelConfig
from sereno.desk.load import desk_from_json, load_desk, parse_desk
from sereno.desk.model import Desk
from sereno.desk.people import Level, Person, Rota

__all__ = ["ChannelConfig", "Desk", "Level", "Person", "Rota", "desk_from_json", "load_desk", "parse_desk"]
