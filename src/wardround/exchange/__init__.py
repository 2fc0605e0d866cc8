"""The buckets through which a federation works: names, stores, signed JSON and tensor files.

`connect.open_exchange` opens one; `layout` names its objects; `envelope` and `tensors` are the two kinds
of object in it; `waiting` waits for them.
"""
