"""Forecasts of real operational series: accuracy and calibration of every model in one run."""
