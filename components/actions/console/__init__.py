"""The console: one server-rendered page of incidents, forecasts and anomalies, read from the lake."""
