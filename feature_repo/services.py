"""The features that a model asks for, versioned by name; and the names of all definitions."""

from feast import FeatureService

from feature_repo.entities import series
from feature_repo.sources import lake_features, newest_features
from feature_repo.views import five_minutes

anomaly_v1 = FeatureService(name="anomaly_v1", features=[five_minutes], description="what anomaly detection reads")

DEFINITIONS = [series, lake_features, newest_features, five_minutes, anomaly_v1]
