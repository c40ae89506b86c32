"""Options that the commands on incidents, problems and activities share."""

from pathlib import Path
from typing import Annotated

import typer

Number = Annotated[int, typer.Argument(help="The incident's number.", show_default=False)]
Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who does it; the user's name otherwise.", show_default=False)]
Note = Annotated[str | None, typer.Option("--note", help="Words for the timeline.", show_default=False)]
Category = Annotated[str | None, typer.Option("--category", help="What kind of fault.", show_default=False)]
Cause = Annotated[
    str | None,
    typer.Option("--cause", help="Whose it was: plataforma, cliente, proveedor or tercero.", show_default=False),
]
Customers = Annotated[list[str] | None, typer.Option("--customer", help="Who suffers it; repeatable.")]
Sites = Annotated[list[str] | None, typer.Option("--site", help="Where; repeatable.")]
Title = Annotated[str | None, typer.Option("--title", help="What it is about, in a line.", show_default=False)]
Channel = Annotated[str | None, typer.Option("--channel", help="By which it came: phone, e-mail, portal…")]
Reporter = Annotated[str | None, typer.Option("--reporter", help="Who reports it.", show_default=False)]
Contact = Annotated[str | None, typer.Option("--contact", help="Whom to call back, and how.", show_default=False)]
Extension = Annotated[str | None, typer.Option("--extension", help="Extension or user.", show_default=False)]
Direction = Annotated[str | None, typer.Option("--direction", help="incoming (entrante) or outgoing (saliente).")]
Counterpart = Annotated[str | None, typer.Option("--counterpart", help="The other party's number.")]
Occurred = Annotated[str | None, typer.Option("--occurred", help="When it happened: ISO 8601 with offset.")]
Description = Annotated[str | None, typer.Option("--description", help="What happened, in full.", show_default=False)]
Priority = Annotated[
    str | None, typer.Option("--priority", help="Urgente, Alta, Normal, Baja, or the contract's own S1–S4.")
]
Urgency = Annotated[str | None, typer.Option("--urgency", help="alto, medio or bajo: by the contract's matrix.")]
Impact = Annotated[str | None, typer.Option("--impact", help="organizacion, departamento or individual.")]
