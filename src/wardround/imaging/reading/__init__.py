"""Reading DICOM objects that nobody vouches for: structure, header, compressed frames, grey values.

bytes ─ structure, header ─ claims ─ stored values ─ grey values ─ windowed to [0, 1]
"""
