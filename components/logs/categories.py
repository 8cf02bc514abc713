"""What a template is about, told by generic words: error, timeout, database, …"""

from __future__ import annotations

import polars as pl

#: Category → the word stems that say so; a stem matches at the start of a word.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "error": ("error", "fail", "exception", "fatal", "panic", "abort", "crash", "traceback", "severe", "critical"),
    "warning": ("warn", "deprecat", "degraded"),
    "timeout": ("timeout", "timed out", "time out", "deadline"),
    "database": ("database", "sql", "mysql", "postgres", "query", "deadlock", "transaction", "jdbc", "mongo", "redis"),
    "memory": ("memory", "heap", "oom", "garbage", "swap", "malloc"),
    "cpu": ("cpu", "processor", "throttl"),
    "disk": ("disk", "storage", "filesystem", "file system", "no space", "inode", "volume"),
    "network": (
        "network",
        "connect",
        "socket",
        "dns",
        "tcp",
        "udp",
        "unreachable",
        "packet",
        "proxy",
        "refused",
        "reset by peer",
    ),
    "permission": ("permission", "denied", "unauthori", "forbidden", "access control", "not allowed"),
    "authentication": ("authent", "login", "logon", "password", "credential", "token", "invalid user"),
    "security": ("certificate", "tls", "ssl", "break-in", "attack", "illegal"),
    "retry": ("retry", "retri", "backoff", "attempt"),
    "start": ("start", "boot", "listening", "launch", "initiali"),
    "stop": ("stop", "shutdown", "shutting down", "terminat", "exit", "kill", "clos"),
    "request": ("request", "http", "response"),
    "queue": ("queue", "kafka", "rabbit", "consumer", "producer", "broker", "backlog"),
    "configuration": ("config", "setting", "parameter", "environment variable"),
    "resource": ("exhaust", "quota", "limit exceeded", "too many", "pool", "unavailable", "overload"),
}
_FROM_SEVERITY = {"FATAL": "error", "ERROR": "error", "WARN": "warning"}


def categorize(template: pl.Expr) -> pl.Expr:
    """The categories of each template, joined by `;`, in a fixed order; empty where no word tells."""
    # Camel case and underscores hold words too: "ConnectionRefused", "disk_full".
    text = template.str.replace_all(r"([a-z])([A-Z])", "$1 $2").str.to_lowercase()
    named = [
        pl.when(text.str.contains(rf"(?:^|[^a-z])(?:{'|'.join(stems)})")).then(pl.lit(name))
        for name, stems in CATEGORIES.items()
    ]
    return pl.concat_list(named).list.drop_nulls().list.join(";")


def with_severity(categories: pl.Expr, severity: pl.Expr) -> pl.Expr:
    """The categories of lines: those of their templates, and what their severity adds."""
    added = severity.replace_strict(_FROM_SEVERITY, default=None, return_dtype=pl.String)
    known = pl.concat_str(pl.lit(";"), categories, pl.lit(";")).str.contains(
        pl.concat_str(pl.lit(";"), added, pl.lit(";")), literal=True
    )
    joined = pl.when(categories == "").then(added).otherwise(pl.concat_str(added, categories, separator=";"))
    return pl.when(added.is_null() | known).then(categories).otherwise(joined)
