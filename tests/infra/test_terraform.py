"""The Terraform files: formatted, every argument known to the provider, every reference resolved, nothing open."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.core.schema import TABLES
from tests.infra.hcl import FOLDER, Block, blocks, configuration, inner, local_values, named, references, texts
from tests.infra.manifests import CHART, INFRA, tool
from tests.infra.provider_arguments import ARGUMENTS

Files = tuple[Block, ...]
META = {"for_each", "count", "depends_on", "lifecycle", "provider"}
PROVIDER = json.loads(ARGUMENTS.read_text())


def unknown_arguments(files: Files) -> Iterator[str]:
    """Arguments that the provider does not take, and required ones that are missing, block by block."""
    for kind in ("resource", "data"):
        for of_type, name, body in blocks(files, kind):
            known = PROVIDER["types"].get(f"{kind} {of_type}")
            if known is None:
                yield f"{of_type} is not noted: python -m tests.infra.provider_arguments"
            else:
                yield from _unknown(body, known["arguments"], f"{of_type}.{name}", META)


def _unknown(body: Block, known: Block, where: str, besides: set[str] | frozenset[str] = frozenset()) -> Iterator[str]:
    given = set()
    for name, value in inner(body):
        given.add(name)
        if name in besides:
            continue
        if name not in known:
            yield f"{where}: no argument {name}"
        elif known[name]["arguments"] and isinstance(value, list):
            for block in value:
                yield from _unknown(block, known[name]["arguments"], f"{where}.{name}")
    yield from (f"{where}: {name} is missing" for name, one in known.items() if one["required"] and name not in given)


def unresolved_references(files: Files) -> Iterator[str]:
    """Expressions that refer to what is not there, and attributes that a resource does not have."""
    defined = {f"var.{name}" for name in named(files, "variable")}
    defined |= {f"local.{name}" for name in local_values(files)}
    types = {f"{of_type}.{name}": f"resource {of_type}" for of_type, name, _ in blocks(files, "resource")}
    types |= {f"data.{of_type}.{name}": f"data {of_type}" for of_type, name, _ in blocks(files, "data")}
    for reference in references(files):
        if reference.startswith(("var.", "local.")):
            if reference not in defined:
                yield reference
            continue
        plain = re.sub(r"\[[^\]]*\]", "", reference).split(".")
        length = 3 if plain[0] == "data" else 2
        kind = types.get(".".join(plain[:length]))
        if kind is None or (len(plain) > length and plain[length] not in PROVIDER["types"][kind]["attributes"]):
            yield reference


def unused_variables(files: Files) -> Iterator[str]:
    used = references(tuple({k: v for k, v in file.items() if k != "variable"} for file in files))
    yield from (name for name in named(files, "variable") if f"var.{name}" not in used)


def bare_declarations(files: Files) -> Iterator[str]:
    """Variables and outputs without a description or a type."""
    yield from (f"var.{n}" for n, body in named(files, "variable").items() if not {"description", "type"} <= set(body))
    yield from (f"output.{n}" for n, body in named(files, "output").items() if "description" not in body)


def open_doors(files: Files) -> Iterator[str]:
    """What is not encrypted, reachable from outside, or readable in plain text."""
    expected: dict[str, dict[str, Any]] = {
        "aws_db_instance": {
            "storage_encrypted": True, "publicly_accessible": False, "manage_master_user_password": True,
        },
        "aws_elasticache_replication_group": {
            "at_rest_encryption_enabled": True, "transit_encryption_enabled": True,
            "transit_encryption_mode": "required",
        },
        "aws_s3_bucket_public_access_block": dict.fromkeys(
            ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
        ),
        "aws_kms_key": {"enable_key_rotation": True},
    }  # fmt: skip
    for of_type, name, body in blocks(files, "resource"):
        for argument, value in expected.get(of_type, {}).items():
            if body.get(argument) != value:
                yield f"{of_type}.{name}: {argument} is not {value}"
        if of_type == "aws_vpc_security_group_ingress_rule" and {"cidr_ipv4", "cidr_ipv6"} & set(body):
            yield f"{of_type}.{name}: open to addresses instead of a security group"
    for name, body in named(files, "variable").items():
        if re.search("token|password|secret", name) and (body.get("sensitive") is not True or "default" in body):
            yield f"var.{name} is not marked sensitive, or has a default"


def wide_permissions(files: Files) -> Iterator[str]:
    """Statements that allow everything, or anything on everything."""
    for of_type, name, body in blocks(files, "data"):
        if of_type != "aws_iam_policy_document":
            continue
        for argument, statements in inner(body):
            for statement in statements if argument == "statement" else ():
                allows = statement.get("effect", "Allow") == "Allow"
                if allows and any("*" in text for text in texts(statement.get("actions", []))):
                    yield f"{name}: actions {statement['actions']}"
                if allows and "*" in list(texts(statement.get("resources", []))):
                    yield f"{name}: every resource"


CHECKS = {
    check.__name__: check
    for check in (
        unknown_arguments, unresolved_references, unused_variables, bare_declarations, open_doors, wide_permissions,
    )
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_check(check: Any) -> None:
    assert list(check(configuration())) == []


def test_the_provider_is_pinned_to_the_one_that_the_arguments_are_of() -> None:
    [terraform] = [block for file in configuration() for block in file.get("terraform", [])]
    pinned = terraform["required_providers"][0]["aws"]["version"]
    assert pinned == "~> " + PROVIDER["provider"].rsplit(".", 1)[0]


def test_the_bucket_keeps_versions_encrypts_and_moves_telemetry_from_30_days_to_365() -> None:
    found = {of_type: body for of_type, _, body in blocks(configuration(), "resource")}
    assert found["aws_s3_bucket_versioning"]["versioning_configuration"][0]["status"] == "Enabled"
    [encryption] = found["aws_s3_bucket_server_side_encryption_configuration"]["rule"]
    assert encryption["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"
    rules = [b for _, v in inner(found["aws_s3_bucket_lifecycle_configuration"]) if isinstance(v, list) for b in v]
    [telemetry] = [rule for rule in rules if isinstance(rule, dict) and "transition" in rule]
    stages = [(stage["days"], stage["storage_class"]) for stage in telemetry["transition"]]
    assert stages == [("${var.hot_days}", "STANDARD_IA"), ("${var.cold_days}", "GLACIER_IR")]
    assert telemetry["expiration"][0]["days"] == "${var.retention_days}"
    defaults = {name: body.get("default") for name, body in named(configuration(), "variable").items()}
    assert (defaults["hot_days"], defaults["retention_days"]) == (30, 365)


def test_what_is_moved_and_deleted_are_tables_of_the_lake() -> None:
    tables = set(re.findall(r'"(\w+)"', local_values(configuration())["telemetry"]))
    assert {"metrics", "spans", "logs"} <= tables <= set(TABLES)


def test_the_values_that_come_out_are_ones_that_the_chart_takes() -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name.strip('"'): plain(item) for name, item in value.items()}
        if isinstance(value, str) and "${" in value:
            return {"local.cidr": ["10.0.0.0/24"], ".port": 5432}.get(
                next((end for end in ("local.cidr", ".port") if value.rstrip("}").endswith(end)), ""),
                "s3://bucket/home",
            )
        return value

    values = plain(local_values(configuration())["chart_values"])
    jsonschema.validate(values, json.loads((CHART / "values.schema.json").read_text()))
    assert set(values) == {"traceo", "serviceAccounts", "postgresql", "redis", "networkPolicy"}


def terraform(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
    return subprocess.run([tool("terraform"), *arguments], cwd=folder, capture_output=True, text=True, env=env)


def test_the_files_are_formatted() -> None:
    done = terraform("fmt", "-check", "-diff", folder=FOLDER)
    assert done.returncode == 0, done.stdout


def test_terraform_reads_the_configuration(tmp_path: Path) -> None:
    copied = shutil.copytree(FOLDER, tmp_path / "terraform")
    done = terraform("providers", folder=copied)
    assert done.returncode == 0, done.stderr
    assert "hashicorp/aws] ~> 6.25" in done.stdout


GOOD = {
    "region": "eu-central-1", "bucket": "traceo-state", "vpc_id": "vpc-1", "client_security_group_id": "sg-1",
    "private_subnet_ids": '["subnet-1", "subnet-2"]', "cache_auth_token": "a" * 32,
    "oidc_provider_arn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE",
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, ""),
        ({"region": "Frankfurt"}, "The region is written as in"),
        ({"bucket": "Traceo.State"}, "A bucket's name is"),
        ({"private_subnet_ids": '["subnet-1"]'}, "at least two subnets"),
        ({"private_subnet_ids": '["subnet-1", "subnet-1"]'}, "at least two subnets"),
        ({"hot_days": "7"}, "before 30 days"),
        ({"cold_days": "31"}, "cold_days >= hot_days + 30"),
        ({"retention_days": "100"}, "retention_days >= cold_days + 90"),
        ({"cache_auth_token": "short"}, "32 to 128"),
        ({"oidc_provider_arn": "oidc.eks"}, "The ARN is written as in"),
        ({"database_storage_gb": "5"}, "20 GB and more"),
        ({"name": "T"}, "beginning with a letter"),
    ],
    ids=lambda value: next(iter(value), "good") if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_refused_with_the_reason(wrong: dict[str, str], told: str, tmp_path: Path) -> None:
    # The variables alone need no provider, so Terraform itself judges them here.
    shutil.copy(FOLDER / "variables.tf", tmp_path)
    given = [option for name, value in {**GOOD, **wrong}.items() for option in ("-var", f"{name}={value}")]
    done = terraform("plan", "-no-color", "-input=false", *given, folder=tmp_path)
    assert (done.returncode == 0) == (not wrong), done.stderr
    assert told in " ".join(done.stderr.replace("│", " ").split())


MUTATIONS = {
    "an argument that the provider does not know": (
        "aws_db_instance", "database", lambda body: body.update(storage_encryption=True), "unknown_arguments",
    ),
    "a bucket that is not there": (
        "aws_s3_bucket_policy", "state", lambda body: body.update(bucket="${aws_s3_bucket.status.id}"),
        "unresolved_references",
    ),
    "an attribute that a resource does not have": (
        "aws_kms_alias", "this", lambda body: body.update(target_key_id="${aws_kms_key.this.keyid}"),
        "unresolved_references",
    ),
    "a database without encryption": (
        "aws_db_instance", "database", lambda body: body.update(storage_encrypted=False), "open_doors",
    ),
    "a cache that anyone may reach": (
        "aws_vpc_security_group_ingress_rule", "cache", lambda body: body.update(cidr_ipv4="0.0.0.0/0"), "open_doors",
    ),
    "a required argument left out": (
        "aws_elasticache_subnet_group", "cache", lambda body: body.pop("subnet_ids"), "unknown_arguments",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_mutation_is_caught_by_the_check_for_it(mutation: Any) -> None:
    of_type, name, change, expected = mutation
    files = copy.deepcopy(configuration())
    [body] = [body for kind, own, body in blocks(files, "resource") if (kind, own) == (of_type, name)]
    change(body)
    assert {check for check, found in CHECKS.items() if list(found(files))} == {expected}


def test_the_page_names_every_variable_that_must_be_given() -> None:
    page = (INFRA / "terraform" / "README.md").read_text()
    required = [name for name, body in named(configuration(), "variable").items() if "default" not in body]
    assert [name for name in required if f"`{name}`" not in page] == []
