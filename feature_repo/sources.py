"""Where features come from."""

from datetime import timedelta

from feast import FileSource, PushSource

#: Features are known at the end of their five minutes and describe the series for this long.
TTL = timedelta(minutes=30)

# Relative to the repository that is opened: a training set is read from a slice of the lake that the step puts there.
lake_features = FileSource(
    name="lake_features",
    path="features.parquet",
    timestamp_field="event_timestamp",
    description="the lake's table `features` with series_id",
)

newest_features = PushSource(
    name="newest_features",
    batch_source=lake_features,
    description="the newest row of each series, pushed by features.build",
)
