"""The features that a model asks for, versioned by name."""

from feast import FeatureService

from feature_repo import views

anomaly_v1 = FeatureService(
    name="anomaly_v1", features=[views.five_minutes], description="what anomaly detection reads"
)
