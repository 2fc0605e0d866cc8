"""Which 32 bytes are an Ed25519 public key: the one encoding of a point whose order is the prime L (RFC 8032, 5.1).

Every key that was made as the standard says is one. What else a library may take for a key:

    a point of order 1, 2, 4 or 8      with it, anybody has signatures that hold for many messages, and for the
                                       neutral point a single one that holds for all: who lists it lists everybody
    a sum of a key and such a point    whether a signature holds depends on who checks it: verification with the
                                       cofactor (section 5.1.7) and without it, as OpenSSL's, disagree
    another spelling of a point        y of p or more, or minus zero for x: two names for one key

All are told apart by one law, and no table: the bytes decode strictly (section 5.1.3), the point is not the neutral
one, and L times the point is.
"""

from functools import lru_cache

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

# Extended homogeneous coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x y = T/Z (section 5.1.4).
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


@lru_cache(maxsize=4096)
def is_public_key(data: bytes) -> bool:
    """Whether `data` (32 bytes) is the encoding of a point of order L. About 2 ms, once for each key."""
    point = _decode(data)
    return point is not None and not _is_neutral(point) and _is_neutral(_times(_L, point))


def _decode(data: bytes) -> _Point | None:
    """The point of an encoding (section 5.1.3), None for bytes that are no point's or not its only spelling."""
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    if len(data) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P  # D is no square, so this is never divided by 0
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x % 2 != sign else x
    return x, y, 1, x * y % _P


def _add(first: _Point, second: _Point) -> _Point:
    """The sum of two points, equal ones too (section 5.1.4)."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = first, second
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    result = _NEUTRAL
    for bit in bin(factor)[2:]:
        result = _add(result, result)
        result = _add(result, point) if bit == "1" else result
    return result


def _is_neutral(point: _Point) -> bool:
    x, y, z, _ = point
    return x % _P == 0 and (y - z) % _P == 0
