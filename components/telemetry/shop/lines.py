"""What the synthetic shop's services write in their logs, as data.

A message's fields in braces are filled in by `logs`: ids drawn at random, the span's duration, the blamed callee.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Said(NamedTuple):
    """A line written by a span of this service and operation that ended well, with this chance."""

    service: str
    operation: str
    message: str
    chance: float = 1.0
    severity: str = "INFO"


class Background(NamedTuple):
    """A line written about every so many seconds, whatever is asked of the service."""

    service: str
    every_s: int
    message: str
    severity: str = "INFO"


class Complaint(NamedTuple):
    """A line about a fault: so many a minute at full strength, and instead of the usual words of a failed span.

    A complaint with rate 0 is written by failed spans only.
    """

    message: str
    per_minute: float
    severity: str = "ERROR"


ACCESS = '10.{small}.{n}.{count} - - [{clf}] "{request} HTTP/1.1" {code} {user} {seconds} trace={trace}'
SAID: tuple[Said, ...] = (
    *(
        Said("frontend", operation, ACCESS)
        for operation in ("GET /products/{id}", "GET /search", "POST /cart", "GET /cart", "POST /checkout")
    ),
    Said("cart", "AddItem", "item added to cart user={user} sku={sku} quantity={n}"),
    Said("cart", "GetCart", "cart loaded user={user} items={n}", 0.6),
    Said("checkout", "PlaceOrder", "Order {order} placed for user {user}, total {amount} EUR"),
    Said("checkout", "PlaceOrder", "Reserved stock for order {order}: {n} items", 0.5, "DEBUG"),
    Said("payment", "Charge", "charge accepted order={order} amount={amount} provider=acquirer-{small}"),
    Said("catalogue", "GetProduct", "product {sku} served in {ms} ms", 0.75),
    Said("catalogue", "ListProducts", "listed {count} products page {n}", 0.8),
    Said("catalogue", "GetPrices", "priced {n} items with price list {small}", 0.8),
    Said("search", "Query", "query finished hits={count} took_ms={ms} shard={small}"),
    Said("search", "Query", "query cache miss, asking index segment {count}", 0.4, "DEBUG"),
    Said("shipping", "Quote", "quote calculated order={order} carrier=carrier-{small} parcels={n}"),
    Said("email", "SendConfirmation", "confirmation for order {order} sent to user-{user}@example.com in {ms} ms"),
    Said("queue", "publish order.placed", "message {order} published to order.placed partition {small}", 0.8),
    Said("queue", "deliver order.placed", "message {order} delivered to consumer email-{small} after {ms} ms", 0.8),
    Said(
        "orders-db", "INSERT orders", "duration: {ms} ms  statement: INSERT INTO orders VALUES ({order}, {user})", 0.5
    ),
    Said("orders-db", "INSERT payments", "duration: {ms} ms  statement: INSERT INTO payments VALUES ({order})", 0.3),
    Said(
        "catalogue-db",
        "SELECT products",
        "duration: {ms} ms  statement: SELECT * FROM products WHERE id = {count}",
        0.2,
    ),
    Said(
        "catalogue-db",
        "SELECT prices",
        "duration: {ms} ms  statement: SELECT price FROM prices WHERE id = {count}",
        0.2,
    ),
)

# A failed span whose error began in the service itself, and one that inherited it.
FAILED: Mapping[str, str] = {
    "frontend": ACCESS,
    "cart": "cart write failed user={user} reason=optimistic lock lost version={count}",
    "checkout": "Order {order} failed: java.lang.IllegalStateException: stock of {sku} changed meanwhile\n"
    "\tat com.shop.checkout.OrderService.place(OrderService.java:{count})\n"
    "\tat com.shop.checkout.OrderController.post(OrderController.java:88)",
    "payment": "charge declined order={order} code=insufficient_funds provider=acquirer-{small}",
    "catalogue": "product {sku} has no price, answering 500",
    "search": "query parse error near position {n}",
    "shipping": "no carrier serves postcode {count} order={order}",
    "email": "SMTP 450 mailbox busy for user-{user}@example.com, giving up after {n} attempts",
    "cache": "Client id={user} closed: output buffer limits reached",
    "queue": "message {order} rejected: too old by {count} s",
    "orders-db": "could not serialize access due to concurrent update of order {order}",
    "catalogue-db": "canceling statement due to statement timeout after {count} ms",
}
INHERITED = "call to {blame} failed: upstream answered 503 after {ms} ms"

BACKGROUND: tuple[Background, ...] = (
    Background("frontend", 150, "GET /healthz 200 {small} ms"),
    Background("frontend", 600, "worker connections {count} of 4096 in use"),
    Background("cart", 150, "health check ok uptime_s={user}"),
    Background("cart", 300, "expired {n} abandoned carts"),
    Background("checkout", 150, "HikariPool-1 - Pool stats (total=20, active={n}, idle={small}, waiting=0)", "DEBUG"),
    Background("checkout", 240, "GC pause young {gcms} ms, heap {count}M of 2048M"),
    Background("payment", 150, "heartbeat provider=acquirer-{small} latency_ms={count}"),
    Background("payment", 600, "settlement batch {order} pending entries={n}"),
    Background("catalogue", 120, "refreshed {n} entries of the product cache"),
    Background("catalogue", 1200, "retrying image thumbnail {sku}: attempt {small}", "WARNING"),
    Background("search", 150, "merged segment {count} docs={user} took_ms={count}"),
    Background("search", 600, "slow merge throttled index writes for {count} ms", "WARNING"),
    Background("shipping", 150, "carrier-{small} tariff table checked rows={count}"),
    Background("email", 150, "polled order.placed: {n} new messages"),
    Background("email", 900, "bounce from user-{user}@example.com recorded", "WARNING"),
    Background("cache", 150, "{n} changes in 60 seconds. Saving..."),
    Background("cache", 150, "Background saving terminated with success"),
    Background("queue", 150, "segment {order} of order.placed rolled, offset {user}"),
    Background("queue", 600, "consumer group mailers rebalanced, generation {count}"),
    Background("orders-db", 180, "checkpoint complete: wrote {count} buffers ({n}.{small}%); sync={small} files"),
    Background("orders-db", 300, "automatic vacuum of table shop.public.orders: pages: {n} removed, {count} remain"),
    Background("orders-db", 100, "connection authorized: user=checkout database=shop port={user}"),
    Background("catalogue-db", 180, "checkpoint complete: wrote {count} buffers ({n}.{small}%); sync={small} files"),
    Background("catalogue-db", 100, "connection authorized: user=catalogue database=products port={user}"),
    Background("catalogue-db", 420, "automatic analyze of table products.public.products elapsed {small}.{n} s"),
)

COMPLAINTS: Mapping[str, tuple[Complaint, ...]] = {
    "memory_leak": (
        Complaint("GC overhead: full collection took {gcms} ms and freed {n} MB, heap 97% used", 5.0, "WARNING"),
        Complaint("java.lang.OutOfMemoryError: Java heap space\n\tat java.util.Arrays.copyOf(Arrays.java:3745)", 0.5),
    ),
    "swap_growth": (Complaint("memory pressure: swapped {count} MB out, page-in waits {ms} ms", 2.5, "WARNING"),),
    "slow_queries": (
        Complaint(
            "duration: {slow} ms  statement: SELECT * FROM items WHERE ref = {order} -- seq scan of {user} rows",
            12.0,
            "WARNING",
        ),
    ),
    "pool_exhaustion": (
        Complaint("connection is not available, request timed out after {slow} ms (active=20, waiting={n})", 8.0),
        Complaint("possible connection leak detected, held for {slow} ms by worker {small}", 2.0, "WARNING"),
    ),
    "queue_growth": (Complaint("SMTP relay slow: greeting took {slow} ms, backlog {count}", 8.0, "WARNING"),),
    "replication_lag": (
        Complaint("standby is behind by {count} WAL segments, flush lag {slow} ms", 6.0, "WARNING"),
        Complaint("terminating walsender process due to replication timeout", 0.5),
    ),
    "bad_release": (
        Complaint(
            "unhandled exception in request {order}: discount is null\n{stack}",
            9.0,
        ),
    ),
    "packet_errors": (
        Complaint("connection reset by peer while reading from 10.0.{small}.{n}, retry {small}", 7.0, "WARNING"),
        Complaint("upstream 10.0.{small}.{n} unreachable: i/o timeout after {slow} ms", 2.0),
    ),
    "noisy_neighbour": (Complaint("event loop delayed by {slow} ms, CPU steal {n}{small}%", 3.0, "WARNING"),),
    "disk_fill": (Complaint("write failed: No space left on device (need {count} kB)", 6.0),),
}
