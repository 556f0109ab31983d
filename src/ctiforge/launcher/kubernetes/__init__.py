"""The Kubernetes backend: Jobs made from the chart's templates, watched, diagnosed and retried."""
