"""What lies under infra/, each file against its tool: charts, manifests, Terraform, compose, dashboards, rules."""
