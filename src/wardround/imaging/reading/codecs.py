"""Which decoder does which transfer syntax: pydicom's runner around gdcm, OpenJPEG, CharLS and imagecodecs.

All are permissively licensed. Private to this package: pydicom's own decoders stay as they are.
"""

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import Decoder, DecodeRunner
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from wardround.imaging.reasons import Reason, Refusal

_NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
_GDCM = ("gdcm", ("pydicom.pixels.decoders.gdcm", "_decode_frame"))
_OPENJPEG = ("openjpeg", ("pydicom.pixels.decoders.pylibjpeg", "_decode_frame"))
_CHARLS = ("charls", ("pydicom.pixels.decoders.pyjpegls", "_decode_frame"))
_PILLOW = ("pillow", ("pydicom.pixels.decoders.pillow", "_decode_frame"))
_TURBO = ("turbo", (__name__, "decode_jpeg"))
_RUNS = ("runs", (__name__, "decode_runs"))
# The first that succeeds counts. gdcm does not stand in for the decoders of JPEG-LS and JPEG 2000: it ends the whole
# process on some damaged codestreams.
_PLUGINS = {
    JPEGBaseline8Bit: (_GDCM, _PILLOW),
    JPEGExtended12Bit: (_GDCM, _TURBO),
    JPEGLossless: (_GDCM, _TURBO),
    JPEGLosslessSV1: (_GDCM, _TURBO),
    JPEGLSLossless: (_CHARLS,),
    JPEGLSNearLossless: (_CHARLS,),
    JPEG2000Lossless: (_OPENJPEG,),
    JPEG2000: (_OPENJPEG,),
    HTJ2KLossless: (_OPENJPEG,),
    HTJ2KLosslessRPCL: (_OPENJPEG,),
    HTJ2K: (_OPENJPEG,),
    RLELossless: (_RUNS,),
}
# What pydicom asks a module with plugins for.
DECODER_DEPENDENCIES = dict.fromkeys(
    (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, RLELossless), ("imagecodecs",)
)
_decoders: dict[UID, Decoder] = {}


def is_available(uid: str) -> bool:
    """Whether this module decodes a transfer syntax; pydicom asks when a decoder is set up."""
    return uid in DECODER_DEPENDENCIES


def decoder_of(syntax: UID) -> Decoder:
    """The decoder of a transfer syntax. Raises Refusal for one that none of the libraries covers."""
    if syntax not in _decoders:
        if syntax not in _PLUGINS and syntax not in _NATIVE:
            raise Refusal(Reason.SYNTAX)
        decoder = Decoder(syntax)
        decoder.add_plugins(list(_PLUGINS.get(syntax, ())))
        _decoders[syntax] = decoder
    return _decoders[syntax]


def decode_jpeg(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decodes a sequential or lossless JPEG of up to 16 bits a sample, its colours as they are."""
    colours = "YCBCR" if runner.samples_per_pixel == 3 else None
    decoded = imagecodecs.jpeg8_decode(frame, colorspace=colours, outcolorspace=colours)
    runner.set_option("bits_allocated", 8 * decoded.itemsize)
    runner.set_option("planar_configuration", 0)
    return np.ascontiguousarray(decoded).tobytes()


def decode_runs(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decodes a run-length frame (PS3.5 annex G) into planes, least significant byte first."""
    samples, width = runner.samples_per_pixel, max(1, runner.bits_allocated // 8)
    pixels = runner.rows * runner.columns
    starts = [int.from_bytes(frame[at : at + 4], "little") for at in range(4, 4 + 4 * samples * width, 4)]
    out = np.empty((samples, pixels, width), np.uint8)
    for segment, (start, end) in enumerate(zip(starts, [*starts[1:], len(frame)], strict=True)):
        decoded = np.frombuffer(imagecodecs.packbits_decode(frame[start:end]), np.uint8)
        if len(decoded) < pixels:
            raise ValueError("a segment ends early")
        # Segments hold the most significant bytes first.
        out[segment // width, :, width - 1 - segment % width] = decoded[:pixels]
    runner.set_option("planar_configuration", 1)
    return out.tobytes()
