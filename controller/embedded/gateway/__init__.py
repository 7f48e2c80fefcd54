"""The embedded cluster's gateway."""

from controller.embedded.gateway.gateway import Gateway, GatewayStore
from controller.embedded.gateway.limits import Limits

__all__ = ["Gateway", "GatewayStore", "Limits"]
