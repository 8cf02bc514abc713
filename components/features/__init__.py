"""Features: what a model may know about a series at an instant, and the bridge to Feast.

A *series* is one metric of one service; its id is `<service>/<metric>`. `features.build` turns the lake's
samples into one row per series and five minutes, in the metric's own unit:

| column | meaning |
|---|---|
| timestamp, event_timestamp | start of the five minutes; their end, from which on the row may be known |
| mean, min, max, last, count, std | of the finite samples within them; `std` is null for a single sample |
| slope_per_h | least-squares slope of the means of the last hour, units per hour |
| ratio_1h, ratio_24h | mean against the mean of the hour before, and of the same hour a day before |

NaN and infinite samples are dropped. Everything looks back only: a row depends on nothing after its
`event_timestamp`.

Several instances of a service make one series. For a metric that the catalogue calls `internal` (it
measures the service's own resources: a disk, a pool) the instance that is worst in these five minutes
speaks for the service, since a full disk is not helped by an empty one. For every other metric the
instances are averaged, so that the number of instances does not change the level: mean of means, smallest
min, largest max. Samples that differ in `attributes` (a device, a mount point) count as instances.

A window is built once. Samples that come late for a window whose features stand stay in `metrics` only.

The newest row of each series is pushed to Feast's online store; training sets are read point in time from
its offline store. The definitions stand in `feature_repo/`.
"""
