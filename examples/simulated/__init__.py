"""Simulated Prometheus, Argo CD and Grafana: the vendors' HTTP APIs over declared data, for the example only."""
