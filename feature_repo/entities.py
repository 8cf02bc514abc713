"""What a feature belongs to."""

from feast import Entity, ValueType

series = Entity(
    name="series",
    join_keys=["series_id"],
    value_type=ValueType.STRING,
    description="one metric of one service: <service>/<metric>",
)
