"""``python -m adlib``."""

from adlib.cli import app

app(prog_name="adlib")
