"""The connector console: what happens in the hub, for the people who answer for it."""

from web.console.services import ConsoleServices
from web.console.setup import create_blueprint

__all__ = ["ConsoleServices", "create_blueprint"]
