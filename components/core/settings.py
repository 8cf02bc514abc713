"""Where things are, read once from the environment (`TRACEO_...`); what to compute stands in each step's Params."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from components.core.errors import SettingsError
from components.core.storage import is_s3, join

REPOSITORY = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """Places and addresses; every field is an environment variable with the prefix `TRACEO_`."""

    model_config = SettingsConfigDict(env_prefix="TRACEO_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: str = Field(default=str(REPOSITORY / ".traceo"), description="folder or s3:// URI of all state")
    lake: str | None = Field(default=None, description="URI of the lake; default <home>/lake")
    source: str = Field(default="shop://", description="shop://?seed=N&anchor=TIME, a directory, or http://host:9090")
    catalog: str = Field(default=str(REPOSITORY / "infra/config/catalog.yaml"), description="the watched metrics")
    notebooks: str = Field(default=str(REPOSITORY / "notebooks"), description="folder of the notebooks that are steps")
    runner: str = Field(
        default="process", description="how Airflow launches a step: process, docker (or Podman) or kubernetes"
    )
    image_prefix: str = Field(
        default="localhost/traceo-", description="what the name of a component's image starts with"
    )
    image_tag: str = Field(default="dev", pattern=r"^[\w][\w.-]{0,127}$", description="tag of the images")
    docker_network: str = Field(
        default="host", description="network of the containers of TRACEO_RUNNER=docker; host reaches the services here"
    )
    # What follows up to pod_deadline_s is read where TRACEO_RUNNER=kubernetes. The names of the service account
    # and the secret are those that infra/kubernetes/chart makes; see infra/kubernetes/PODS.md.
    pod_namespace: str | None = Field(default=None, description="namespace of the pods; default Airflow's own")
    pod_service_account: str = Field(default="traceo-step", description="service account of the pods")
    pod_secret: str = Field(
        default="traceo-secrets", description="Secret whose keys are environment variables of the pods"
    )
    pod_home_claim: str | None = Field(
        default=None, description="volume claim mounted at TRACEO_HOME in the pods, where home is a folder"
    )
    pod_start_s: int = Field(default=600, ge=1, description="seconds a pod may take to be scheduled, and to start")
    pod_deadline_s: int = Field(default=14_400, ge=60, description="seconds after which a pod is ended")
    mlflow_uri: str | None = Field(
        default=None, description="tracking server; default sqlite:///<home>/mlflow/mlflow.db"
    )
    mlflow_page: str | None = Field(default=None, description="where a browser finds MLflow; default TRACEO_MLFLOW_URI")
    model_server_url: str | None = Field(
        default=None, description="Open Inference Protocol server; unset: models load in process"
    )
    alertmanager_url: str | None = Field(default=None, description="Alertmanager v2 API to post alerts to; unset: none")
    kfp_token: SecretStr | None = Field(default=None, description="bearer token for `traceo pipelines submit`")
    alertmanager_token: SecretStr | None = Field(default=None, description="bearer token for the Alertmanager")
    online_store: SecretStr | None = Field(
        default=None,
        description="Redis of the online feature store, HOST:6379,password=…; default: SQLite in the home's folder",
    )
    feature_repo: str = Field(default=str(REPOSITORY / "feature_repo"), description="the Feast repository")
    host: str = Field(default="127.0.0.1", description="address the embedded services listen on")
    allowed_hosts: str | None = Field(
        default=None,
        pattern=r"^(\*|(\*\.)?[\w.:-]+( *, *(\*\.)?[\w.:-]+)*)$",
        description="host names, comma separated, that the console and a log receiver without a token answer to; "
        "`*`: every name; default: TRACEO_HOST, localhost, 127.0.0.1",
    )
    airflow_port: int = Field(default=8080, ge=1, le=65535)
    mlflow_port: int = Field(default=5000, ge=1, le=65535)
    model_server_port: int = Field(default=8081, ge=1, le=65535)
    console_port: int = Field(default=8082, ge=1, le=65535)
    console_page: str | None = Field(
        default=None, description="where a browser finds the console; default http://<host>:<console_port>"
    )
    log_receiver_port: int = Field(default=8083, ge=1, le=65535)
    log_receiver_token: SecretStr | None = Field(
        default=None, description="bearer token that senders of logs must show; needed where TRACEO_HOST is no loopback"
    )
    log_spool: str | None = Field(
        default=None, description="URI where received logs wait for the next ingest; default <home>/spool"
    )
    log_files: str | None = Field(
        default=None, description="folder of log files that traceo_logs archives; default: none"
    )
    log_spool_max_mb: int = Field(default=1024, ge=1, description="from when on the log receiver refuses logs")
    challenger_weight: float = Field(default=0.1, ge=0, le=1, description="share of requests a challenger answers")
    model_poll_s: float = Field(
        default=3.0, gt=0, le=3600, description="seconds between looks at the registry's aliases"
    )

    @property
    def lake_uri(self) -> str:
        return self.lake or join(self.home, "lake")

    @property
    def log_spool_uri(self) -> str:
        return self.log_spool or join(self.home, "spool")

    @property
    def host_names(self) -> list[str]:
        """The names in a request's Host header that are answered; a page elsewhere may point its own name here."""
        if self.allowed_hosts is None:
            return [self.host, "localhost", "127.0.0.1"]
        return [name.strip().lower() for name in self.allowed_hosts.split(",")]

    @property
    def tracking_uri(self) -> str:
        if self.mlflow_uri:
            return self.mlflow_uri
        if is_s3(self.home):
            raise SettingsError("TRACEO_HOME is on S3, so TRACEO_MLFLOW_URI must name a tracking server")
        folder = Path(self.home, "mlflow")
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder.resolve()}/mlflow.db"

    @property
    def console_address(self) -> str:
        """Where a browser finds the console, without a slash at the end."""
        return (self.console_page or f"http://{self.host}:{self.console_port}").rstrip("/")

    @property
    def artifact_location(self) -> str | None:
        """Where MLflow keeps artifacts when it works on a plain database; None: the tracking server decides."""
        if not self.tracking_uri.startswith("sqlite:///"):
            return None
        database = Path(self.tracking_uri.removeprefix("sqlite:///"))
        return str(database.parent.resolve() / "artifacts")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process; SettingsError names the variable that is malformed."""
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors()[0]
        variable = "TRACEO_" + "_".join(str(part) for part in problem["loc"]).upper()
        raise SettingsError(f"{variable}: {problem['msg']}") from None


def without_credentials(url: str) -> str:
    """The URL as it may stand in messages, logs and pages."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(user + at, "", 1) if at else url
