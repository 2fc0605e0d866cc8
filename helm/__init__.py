"""The charts, and what is generated from their commented values (`python -m helm.build`)."""
