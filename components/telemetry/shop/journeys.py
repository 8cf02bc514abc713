"""What customers of the synthetic shop do: the call tree of each kind of request, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Call(NamedTuple):
    """One span of a tree: `parent` is the place of its parent in the tree, None at the root.

    `weight` scales the service's own time for this operation; the call happens with `chance` if its parent happens.
    """

    service: str
    name: str
    parent: int | None = None
    weight: float = 1.0
    chance: float = 1.0
    kind: str = "SERVER"


@dataclass(frozen=True)
class Journey:
    """A kind of request and its share of all requests; parents stand before their children."""

    share: float
    calls: tuple[Call, ...]


JOURNEYS: tuple[Journey, ...] = (
    Journey(
        0.34,
        (
            Call("frontend", "GET /products/{id}"),
            Call("catalogue", "GetProduct", 0),
            Call("cache", "GET product", 1),
            Call("catalogue-db", "SELECT products", 1, 1.0, 0.45, "CLIENT"),
        ),
    ),
    Journey(
        0.19,
        (
            Call("frontend", "GET /search", None, 1.1),
            Call("search", "Query", 0),
            Call("cache", "GET query", 1),
            Call("catalogue", "ListProducts", 1, 0.9, 0.6),
            Call("catalogue-db", "SELECT products", 3, 1.3, 0.8, "CLIENT"),
        ),
    ),
    Journey(
        0.18,
        (
            Call("frontend", "POST /cart", None, 0.8),
            Call("cart", "AddItem", 0),
            Call("cache", "SET cart", 1),
        ),
    ),
    Journey(
        0.10,
        (
            Call("frontend", "GET /cart", None, 0.9),
            Call("cart", "GetCart", 0),
            Call("cache", "GET cart", 1),
            Call("catalogue", "GetPrices", 0, 0.8),
            Call("catalogue-db", "SELECT prices", 3, 0.8, 0.7, "CLIENT"),
        ),
    ),
    Journey(
        0.11,
        (
            Call("frontend", "POST /checkout", None, 1.2),
            Call("checkout", "PlaceOrder", 0),
            Call("cart", "GetCart", 1, 0.9),
            Call("cache", "GET cart", 2),
            Call("payment", "Charge", 1),
            Call("orders-db", "INSERT payments", 4, 1.0, 1.0, "CLIENT"),
            Call("shipping", "Quote", 1, 1.0, 0.8),
            Call("orders-db", "SELECT addresses", 6, 0.7, 1.0, "CLIENT"),
            Call("orders-db", "INSERT orders", 1, 1.3, 1.0, "CLIENT"),
            Call("queue", "publish order.placed", 1, 1.0, 0.9, "PRODUCER"),
        ),
    ),
    Journey(
        0.08,
        (
            Call("queue", "deliver order.placed", None, 1.2, 1.0, "CONSUMER"),
            Call("email", "SendConfirmation", 0),
        ),
    ),
)
