"""Where a hospital's images come from: a folder, an S3 bucket, or its archive's DICOMweb service.

    source ─ find ─ parcels ─ fetch ─ spool ─ the folder intake
                       └────────┴───── unfetched

A folder is read in place. Everything else is first copied to a spool on the hospital's own volume, a parcel (a
study, or an object) at a time, so that a killed copy goes on where it was.
"""
