"""A stand-in for Grafana: answers health checks and lists what is provisioned, with current values; no charts."""

STAND_IN = "Stands in for Grafana: answers health checks and lists what is provisioned; draws no dashboards"
