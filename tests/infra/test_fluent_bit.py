"""infra/fluent-bit against Fluent Bit's documented options and against the endpoint that it sends to.

Fluent Bit itself does not run here. Checked are: the names of options (against a list written by hand for version 4.0),
what has to be set for nothing to be lost, and a request made as the output's settings say, sent to the real endpoint.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from components.core.settings import REPOSITORY, Settings
from components.telemetry.receiver import body as accepted
from components.telemetry.receiver.app import create_app
from components.telemetry.receiver.records import TIMES
from tests.telemetry import fluentbit

FILE = REPOSITORY / "infra/fluent-bit/fluent-bit.yaml"
CONFIG = yaml.safe_load(FILE.read_text())
#: The options of the plugins that are used, as of version 4.0; written by hand.
KNOWN = {
    "service": """flush grace daemon dns.mode log_file log_level parsers_file plugins_file streams_file http_server
        http_listen http_port health_check coro_stack_size scheduler.cap scheduler.base json.convert_nan_to_null
        sp.convert_from_str_to_num storage.path storage.sync storage.checksum storage.max_chunks_up
        storage.backlog.mem_limit storage.metrics storage.delete_irrecoverable_chunks hot_reload""",
    "tail": """name tag alias buffer_chunk_size buffer_max_size path path_key exclude_path offset_key read_from_head
        refresh_interval rotate_wait ignore_older skip_long_lines skip_empty_lines db db.sync db.locking
        db.journal_mode db.compare_filename mem_buf_limit exit_on_eof parser key inotify_watcher tag_regex
        static_batch_size file_cache_advise threaded multiline.parser storage.type storage.pause_on_chunks_overlimit""",
    "kubernetes": """name match alias buffer_size kube_url kube_ca_file kube_ca_path kube_token_file
        kube_tag_prefix merge_log merge_log_key merge_log_trim merge_parser keep_log tls.debug tls.verify
        use_journal cache_use_docker_id regex_parser k8s-logging.parser k8s-logging.exclude labels annotations
        kube_meta_preload_cache_dir dummy_meta dns_retries dns_wait_time use_kubelet kubelet_host kubelet_port
        kube_meta_cache_ttl kube_token_ttl kube_meta_namespace_cache_ttl namespace_labels namespace_annotations
        namespace_metadata_only owner_references""",
    "http": """name match match_regex alias host http_user http_passwd aws_auth port proxy http2 uri compress format
        allow_duplicated_headers log_response_payload header_tag header json_date_key json_date_format
        gelf_timestamp_key gelf_host_key gelf_short_message_key gelf_full_message_key gelf_level_key body_key
        headers_key workers retry_limit log_level storage.total_limit_size tls tls.verify tls.debug tls.ca_file
        tls.ca_path tls.crt_file tls.key_file tls.key_passwd tls.vhost net.connect_timeout net.io_timeout net.keepalive
        net.keepalive_idle_timeout net.keepalive_max_recycle net.max_worker_connections net.dns.mode
        net.dns.resolver net.source_address""",
}


@pytest.fixture
def endpoint(tmp_path: Path) -> TestClient:
    return TestClient(create_app(Settings(home=str(tmp_path), log_receiver_token="s3cret")))


def plugins(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [plugin for kind in ("inputs", "filters", "outputs") for plugin in config["pipeline"][kind]]


def unknown_options(config: dict[str, Any]) -> list[str]:
    """Options that the list does not have, as `plugin.option`."""
    sections = [("service", config["service"]), *((plugin["name"], plugin) for plugin in plugins(config))]
    return [f"{name}.{key}" for name, options in sections for key in options if key not in KNOWN[name].split()]


def losses(config: dict[str, Any]) -> list[str]:
    """Settings with which lines would be lost when the receiver or the node is away for a while."""
    found = []
    if "storage.path" not in config["service"]:
        found.append("service.storage.path: chunks are nowhere on disk")
    for source in config["pipeline"]["inputs"]:
        if source.get("storage.type") != "filesystem":
            found.append(f"{source['name']}.storage.type: chunks are in memory only")
        if "db" not in source:
            found.append(f"{source['name']}.db: a restart would not know where it was")
    for output in config["pipeline"]["outputs"]:
        if output.get("retry_limit") not in ("no_limits", False):
            found.append(f"{output['name']}.retry_limit: a chunk is dropped after so many tries")
        if "storage.total_limit_size" not in output:
            found.append(f"{output['name']}.storage.total_limit_size: the node's disk fills without end")
    return found


def misdirected(config: dict[str, Any], app: Any) -> list[str]:
    """Settings of the output that the receiver does not understand."""
    (output,) = config["pipeline"]["outputs"]
    posts = {route.path for route in app.routes if "POST" in getattr(route, "methods", ())}
    checks = {
        f"uri {output['uri']!r}: the receiver takes logs at {', '.join(posts)}": output["uri"] in posts,
        f"format {output['format']!r}: the receiver reads JSON": output["format"] in ("json", "json_lines"),
        f"compress {output.get('compress')!r}: the receiver reads gzip": output.get("compress") in ("gzip", None),
        f"json_date_key {output['json_date_key']!r}: a field of a program could take its place, use {TIMES[0]!r}": (
            output["json_date_key"] == TIMES[0]
        ),
        "header: no bearer token from the environment": bool(
            re.fullmatch(r"Authorization Bearer \$\{TRACEO_LOG_RECEIVER_TOKEN\}", output.get("header", ""))
        ),
    }
    return [problem for problem, fine in checks.items() if not fine]


def test_every_option_is_one_that_the_list_has() -> None:
    assert unknown_options(CONFIG) == []


def test_nothing_is_lost_while_the_receiver_is_away() -> None:
    assert losses(CONFIG) == []


def test_the_output_fits_the_receiver(endpoint: TestClient) -> None:
    assert misdirected(CONFIG, endpoint.app) == []


def test_every_record_that_is_read_reaches_the_output() -> None:
    (source,) = CONFIG["pipeline"]["inputs"]
    for plugin in [*CONFIG["pipeline"]["filters"], *CONFIG["pipeline"]["outputs"]]:
        assert plugin["match"] == source["tag"], f"{plugin['name']} does not match what {source['name']} reads"


def test_no_secret_stands_in_the_file() -> None:
    for plugin in plugins(CONFIG):
        for key in ("header", "http_passwd", "tls.key_passwd"):
            assert "${" in str(plugin.get(key, "${}")), f"{plugin['name']}.{key} holds a value of its own"


def sent(config: dict[str, Any], endpoint: TestClient) -> Any:
    """A chunk as the output's settings say, posted to the receiver."""
    (output,) = config["pipeline"]["outputs"]
    record = {output["json_date_key"]: "2026-01-31T12:00:01.250000Z", "log": "paid", "kubernetes": fluentbit.POD}
    content, headers = fluentbit.zipped(fluentbit.body([record], output["format"]))
    name, _, value = output["header"].replace("${TRACEO_LOG_RECEIVER_TOKEN}", "s3cret").partition(" ")
    return endpoint.post(output["uri"], content=content, headers={**headers, name: value})


def test_a_chunk_as_configured_is_kept(endpoint: TestClient, tmp_path: Path) -> None:
    answer = sent(CONFIG, endpoint)
    assert (answer.status_code, answer.json()) == (200, {"records": 1})
    assert len(list((tmp_path / "spool" / "pending").iterdir())) == 1


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("uri", "/log", "uri '/log': the receiver takes logs at /logs"),
        ("format", "msgpack", "format 'msgpack': the receiver reads JSON"),
        ("json_date_key", "date", "json_date_key 'date': a field of a program could take its place"),
        ("header", "Authorization Bearer abc", "header: no bearer token from the environment"),
    ],
)
def test_a_wrong_output_is_named(endpoint: TestClient, option: str, value: str, told: str) -> None:
    """Mutations of the output; the first is refused by the endpoint as well."""
    wrong = copy.deepcopy(CONFIG)
    wrong["pipeline"]["outputs"][0][option] = value
    (problem,) = misdirected(wrong, endpoint.app)
    assert problem.startswith(told)
    if option == "uri":
        assert sent(wrong, endpoint).status_code == 404


def test_a_misspelled_option_and_a_lossy_setting_are_named() -> None:
    wrong = copy.deepcopy(CONFIG)
    wrong["pipeline"]["outputs"][0]["compres"] = "gzip"
    wrong["pipeline"]["outputs"][0]["retry_limit"] = 3
    assert unknown_options(wrong) == ["http.compres"]
    assert losses(wrong) == ["http.retry_limit: a chunk is dropped after so many tries"]


def test_the_accepted_types_are_those_of_the_output() -> None:
    assert fluentbit.HEADERS["Content-Type"] in accepted.TYPES
