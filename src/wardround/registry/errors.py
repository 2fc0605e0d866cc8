"""What can go wrong between a coordinator and its registry."""

from wardround.errors import WardroundError


class RegistryError(WardroundError):
    """The registry did not take an entry; the round itself is safe in the exchange.

    Codes: "registry-unavailable" (no answer in time), "registry-refused" (it answered no), "no-predict"
    (the plan has no inference graph).
    """

    code = "registry"
