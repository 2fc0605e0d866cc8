"""From a hospital's DICOM files to labelled shards: intake, pixels, volumes, labels, splits."""
