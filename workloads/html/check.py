"""The page must read like the one that `orders` writes for the same event."""

import orders
from orders import fault

__all__ = ["fault", "generate", "reference"]


def generate(random):
    return orders.generate(random, 1500)


def reference(event):
    return {"page": orders.right_page(event)}
