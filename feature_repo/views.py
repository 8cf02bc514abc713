"""The features of a series."""

from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from feature_repo.entities import series
from feature_repo.sources import TTL, newest_features

five_minutes = FeatureView(
    name="five_minutes",
    entities=[series],
    ttl=TTL,
    source=newest_features,
    online=True,
    schema=[
        Field(name="series_id", dtype=String),
        Field(name="service", dtype=String),
        Field(name="metric", dtype=String),
        # Feast's own timestamps have whole seconds and do not come back from the online store.
        Field(name="start_us", dtype=Int64, description="start of the five minutes, Unix microseconds"),
        Field(name="mean", dtype=Float64),
        Field(name="min", dtype=Float64),
        Field(name="max", dtype=Float64),
        Field(name="last", dtype=Float64),
        Field(name="count", dtype=Int64),
        Field(name="std", dtype=Float64),
        Field(name="slope_per_h", dtype=Float64, description="least-squares slope of the last hour"),
        Field(name="ratio_1h", dtype=Float64, description="mean against the hour before"),
        Field(name="ratio_24h", dtype=Float64, description="mean against the same hour a day before"),
    ],
    description="five-minute aggregates of a series and its trends",
)
