"""The federation on one machine: phantoms, wrapped images, processes and servers."""
