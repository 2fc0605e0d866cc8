"""What Wardround's own Jobs do with the Kubernetes API; the only importer of its client."""
